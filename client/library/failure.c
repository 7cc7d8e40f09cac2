#include "failure.h"

#include "../../include/ioasid.h"
#include "../escape.h"
#include "../json_build.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void failure_done(struct failure *failure)
{
	free(failure->name);
	free(failure->message);
	free(failure->parameters);
	memset(failure, 0, sizeof(*failure));
}

void failure_set(struct failure *failure, int status, const char *format, ...)
{
	va_list arguments;
	char *text = NULL;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	failure_done(failure);
	failure->status = status;
	if (text != NULL) {
		size_t size;
		FILE *stream = open_memstream(&failure->message, &size);

		if (stream != NULL) {
			escape_write(stream, text, false);
			fclose(stream);
		}
	}
	free(text);
}

/* A string of an object, or NULL where it is missing, empty, or no string. */
static const char *get_string(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_is_type(object, json_type_object) || !json_object_object_get_ex(object, key, &value) ||
	    !json_object_is_type(value, json_type_string) || json_object_get_string_len(value) == 0)
		return NULL;
	return json_object_get_string(value);
}

static int status_of(const char *error, struct json_object *parameters)
{
	static const struct {
		const char *error;
		int status;
	} known[] = {
		{ "org.ioasid1.RefusedByPolicy", IOASID_REFUSED },
		{ "org.ioasid1.OperatorsOnly", IOASID_REFUSED },
		{ "org.ioasid1.Busy", IOASID_BUSY },
		{ "org.ioasid1.NotFound", IOASID_UNKNOWN },
		{ "org.ioasid1.Unsupported", IOASID_UNSUPPORTED },
	};
	struct json_object *value;

	if (json_object_object_get_ex(parameters, "status", &value) && json_object_is_type(value, json_type_int)) {
		int64_t status = json_object_get_int64(value);

		if (status == IOASID_FAILED || (status >= IOASID_REFUSED && status <= IOASID_UNSUPPORTED))
			return (int)status;
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(error, known[i].error) == 0)
			return known[i].status;
	return IOASID_FAILED;
}

/* The errors of org.varlink.service have no message, so they get one here. */
static void write_headline(FILE *stream, const char *method, const char *error, struct json_object *parameters)
{
	const char *message = get_string(parameters, "message");
	const char *parameter = get_string(parameters, "parameter");

	if (message != NULL) {
		escape_write(stream, message, false);
	} else if (strcmp(error, "org.varlink.service.MethodNotFound") == 0 ||
		   strcmp(error, "org.varlink.service.InterfaceNotFound") == 0) {
		fputs("the running ioasidd has no method ", stream);
		escape_write(stream, method, false);
		fputs(": its version differs from this program's; install the same version of both and restart it",
		      stream);
	} else if (strcmp(error, "org.varlink.service.InvalidParameter") == 0) {
		fputs("ioasidd rejected ", stream);
		escape_write(stream, parameter != NULL ? parameter : "the parameters", false);
		fputs(" in a call of ", stream);
		escape_write(stream, method, false);
	} else {
		fputs("ioasidd answered ", stream);
		escape_write(stream, method, false);
		fputs(" with ", stream);
		escape_write(stream, error, false);
		fputs(" without a reason; see its log", stream);
	}
}

static void write_remedy(FILE *stream, struct json_object *blocker)
{
	const char *remedy = get_string(blocker, "remedy");

	if (remedy == NULL)
		return;
	fputs("\n    to resolve: ", stream);
	escape_write(stream, remedy, false);
}

/*
 * Two lines for each reason. The headline is one of them as a rule: its remedy comes first, and it is not told twice.
 */
static void write_blockers(FILE *stream, struct json_object *parameters)
{
	const char *headline = get_string(parameters, "message");
	struct json_object *blockers, *told = NULL;
	size_t count;

	if (!json_object_object_get_ex(parameters, "blockers", &blockers) ||
	    !json_object_is_type(blockers, json_type_array))
		return;
	count = json_object_array_length(blockers);
	for (size_t i = 0; i < count && told == NULL && headline != NULL; i++) {
		struct json_object *blocker = json_object_array_get_idx(blockers, i);
		const char *message = get_string(blocker, "message");

		if (message != NULL && strcmp(message, headline) == 0)
			told = blocker;
	}
	if (told != NULL)
		write_remedy(stream, told);
	for (size_t i = 0; i < count; i++) {
		struct json_object *blocker = json_object_array_get_idx(blockers, i);
		const char *message = get_string(blocker, "message");

		if (blocker == told || message == NULL)
			continue;
		fputs("\n  ", stream);
		escape_write(stream, message, false);
		write_remedy(stream, blocker);
	}
}

void failure_set_reply(struct failure *failure, const char *method, const char *error, struct json_object *parameters)
{
	size_t size;
	const char *text;
	FILE *stream;

	failure_done(failure);
	failure->status = status_of(error, parameters);
	failure->name = strdup(error);
	text = json_build_text(parameters);
	failure->parameters = text != NULL ? strdup(text) : NULL;
	stream = open_memstream(&failure->message, &size);
	if (stream == NULL)
		return;
	write_headline(stream, method, error, parameters);
	write_blockers(stream, parameters);
	fclose(stream);
}
