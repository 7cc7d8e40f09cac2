#include "session.h"

#include "../../escape.h"
#include "../../json_build.h"
#include "reply.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void session_print_json(struct session *session, struct json_object *object)
{
	const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
									  JSON_C_TO_STRING_NOSLASHESCAPE);

	if (text == NULL)
		return;
	escape_write_json(session->out.stream, text);
	fputc('\n', session->out.stream);
}

/* Consumes blockers; NULL: none. */
static struct json_object *make_error(int status, const char *name, const char *message, struct json_object *blockers)
{
	struct json_object *error = json_object_new_object();

	if (blockers == NULL)
		blockers = json_object_new_array();
	if (error != NULL && json_build_set(error, "status", json_object_new_int(status)) == 0 &&
	    json_build_set(error, "name", json_object_new_string(name)) == 0 &&
	    json_build_set(error, "message", json_object_new_string(message)) == 0)
		return json_build_set(error, "blockers", blockers) == 0 ? error : NULL;
	json_object_put(error);
	json_object_put(blockers);
	return NULL;
}

/* Prints {"error": error}; error is consumed. */
static void print_error(struct session *session, struct json_object *error)
{
	struct json_object *object = json_object_new_object();

	if (object != NULL && error != NULL && json_object_object_add(object, "error", error) == 0)
		session_print_json(session, object);
	else
		json_object_put(error);
	json_object_put(object);
}

static int last_status(struct session *session)
{
	int status = ioasid_error_status(session->connection);

	return status == IOASID_DONE ? EXIT_FAILED : status;
}

/* The library did not fail where there was no memory to ask it with. */
static const char *last_message(struct session *session)
{
	bool failed = ioasid_error_status(session->connection) != IOASID_DONE;

	return failed ? ioasid_error_message(session->connection) : "out of memory";
}

struct json_object *session_error(struct session *session)
{
	struct json_object *parameters = reply_parse(ioasid_error_parameters(session->connection));
	const char *message = reply_string(parameters, "message", last_message(session));
	struct json_object *error = make_error(last_status(session), ioasid_error_name(session->connection), message,
					       json_object_get(reply_list(parameters, "blockers")));

	json_object_put(parameters);
	return error;
}

/* Writes the lines of a message: the first behind "ioasidctl: ", the others as they are indented. */
static void write_lines(const struct layout *layout, const char *what, const char *message)
{
	char *copy = strdup(message);
	char *rest = copy;
	char *line = strsep(&rest, "\n");

	if (line == NULL)
		return;
	if (what != NULL)
		layout_sentence_of(layout, "ioasidctl: ", 2, "%s: %s", what, line);
	else
		layout_sentence(layout, "ioasidctl: ", 2, line);
	while ((line = strsep(&rest, "\n")) != NULL) {
		size_t indent = strspn(line, " ");
		char prefix[16] = "";

		if (indent >= sizeof(prefix))
			indent = sizeof(prefix) - 1;
		memset(prefix, ' ', indent);
		layout_sentence(layout, prefix, indent + 2, line + indent);
	}
	free(copy);
}

int session_report(struct session *session, const char *what)
{
	int status = last_status(session);

	if (session->line->json) {
		print_error(session, session_error(session));
		return status;
	}
	write_lines(&session->err, what, last_message(session));
	if (status == EXIT_UNREACHABLE)
		layout_sentence(&session->err, "  ", 4, "or use another socket with --socket PATH");
	return status;
}

/* The text of a sentence, which the caller frees. NULL: out of memory. */
__attribute__((format(printf, 1, 0))) static char *compose(const char *format, va_list arguments)
{
	char *text = NULL;

	return vasprintf(&text, format, arguments) < 0 ? NULL : text;
}

int session_fail(struct session *session, int status, const char *format, ...)
{
	const struct verb *verb = session->line->verb;
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = compose(format, arguments);
	va_end(arguments);
	if (session->line->json) {
		print_error(session, make_error(status, "", text != NULL ? text : "out of memory", NULL));
	} else {
		layout_sentence(&session->err, "ioasidctl: ", 2, text != NULL ? text : "out of memory");
		if (status == EXIT_USAGE)
			layout_sentence_of(&session->err, "  ", 4, "See `ioasidctl %s%s--help`.",
					   verb != NULL ? verb->name : "", verb != NULL ? " " : "");
	}
	free(text);
	return status;
}

int session_malformed(struct session *session, const char *what)
{
	return session_fail(session, EXIT_FAILED,
			    "invalid reply from ioasidd: %s; is it the same version (" VERSION ")?", what);
}

void session_warn(struct session *session, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = compose(format, arguments);
	va_end(arguments);
	if (text != NULL)
		layout_sentence(&session->err, "ioasidctl: ", 2, text);
	free(text);
}

int session_connect(struct session *session)
{
	struct ioasid *connection = NULL;
	int result;

	if (session->connection != NULL || session->answer != NULL)
		return EXIT_DONE;
	result = ioasid_connect(session->line->socket, &connection);
	session->connection = connection;
	if (connection == NULL)
		return session_fail(session, EXIT_FAILED, "out of memory");
	return result < 0 ? session_report(session, NULL) : EXIT_DONE;
}

int session_call(struct session *session, const char *what, const char *method, struct json_object *parameters,
		 struct json_object **reply)
{
	const char *text;
	char *answer = NULL;
	int status;

	if (session->answer != NULL) {
		status = session->answer(session, method, parameters, reply);
		json_object_put(parameters);
		return status;
	}
	text = parameters != NULL ? json_build_text(parameters) : NULL;
	status = session_connect(session);
	if (status == EXIT_DONE && ioasid_call(session->connection, method, text, &answer) < 0)
		status = session_report(session, what);
	json_object_put(parameters);
	if (status != EXIT_DONE)
		return status;
	*reply = reply_parse(answer);
	free(answer);
	return *reply != NULL ? EXIT_DONE : session_malformed(session, "not an object");
}

struct json_object *session_ask(struct session *session, const char *method)
{
	struct json_object *reply = NULL;
	char *text = NULL;

	if (session->answer != NULL)
		return session->answer(session, method, NULL, &reply) == EXIT_DONE ? reply : NULL;
	if (ioasid_call(session->connection, method, NULL, &text) == 0)
		reply = reply_parse(text);
	free(text);
	return reply;
}
