#include "verb_release.h"

#include "claim_results.h"
#include "../core/reply.h"
#include "../core/session.h"

#include "../../json_build.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

/* True if a claim can be called that: printable ASCII without spaces, not too long. */
static bool is_claim_id(const char *text)
{
	size_t length = strlen(text);

	for (size_t i = 0; i < length; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return length > 0 && length < CLAIM_ID_MAX;
}

/*
 * Releases one claim: *reply is what the daemon said, NULL if it failed: session_report() and session_error() tell
 * why.
 */
static int release(struct session *session, const char *id, struct json_object **reply)
{
	struct json_object *parameters = json_object_new_object();
	const char *call = NULL;
	char *text = NULL;
	int result = -ENOMEM;

	if (parameters != NULL && json_build_set(parameters, "claim", json_object_new_string(id)) == 0)
		call = json_build_text(parameters);
	if (call != NULL)
		result = ioasid_call(session->connection, "org.ioasid1.Release", call, &text);
	json_object_put(parameters);
	*reply = result == 0 ? reply_parse(text) : NULL;
	free(text);
	return result;
}

/* The exit status of an answer: a claim that is not free is held by somebody, or closed until the operator opens it. */
static int status_of(struct json_object *reply)
{
	const char *state = reply_string(reply, "state", NULL);

	if (state == NULL)
		return EXIT_FAILED;
	return strcmp(state, "free") == 0 ? EXIT_DONE : EXIT_BUSY;
}

static int release_in_words(struct session *session, const char *id)
{
	struct json_object *reply;
	const char *note;
	char what[64];
	int status;

	if (release(session, id, &reply) < 0) {
		snprintf(what, sizeof(what), "cannot release %s", id);
		return session_report(session, what);
	}
	note = reply_string(reply, "note", NULL);
	status = status_of(reply);
	if (status == EXIT_FAILED)
		session_malformed(session, "missing state");
	else
		layout_sentence_of(&session->out, "", 2, "claim %s: %s%s%s", id, reply_string(reply, "state", "?"),
				   note != NULL ? ": " : "", note != NULL ? note : "");
	json_object_put(reply);
	return status;
}

/* Adds {"claim", "state", "note"} or {"claim", "error"} to a list. Returns the exit status of this claim. */
static int release_in_json(struct session *session, const char *id, struct json_object *list)
{
	struct json_object *entry = json_object_new_object();
	struct json_object *reply = NULL;
	const char *note;
	int status, result;

	if (entry == NULL || json_build_set(entry, "claim", json_object_new_string(id)) < 0) {
		json_object_put(entry);
		return EXIT_FAILED;
	}
	if (release(session, id, &reply) < 0) {
		struct json_object *error = session_error(session);

		status = (int)reply_number(error, "status", EXIT_FAILED);
		result = json_build_set(entry, "error", error);
	} else {
		status = status_of(reply);
		note = reply_string(reply, "note", NULL);
		result = json_build_set(entry, "state", json_object_new_string(reply_string(reply, "state", "")));
		if (result == 0)
			result = json_object_object_add(entry, "note",
							note != NULL ? json_object_new_string(note) : NULL);
	}
	json_object_put(reply);
	if (result < 0 || json_object_array_add(list, entry) < 0) {
		json_object_put(entry);
		return EXIT_FAILED;
	}
	return status;
}

static int run(struct session *session)
{
	const struct command_line *line = session->line;
	struct json_object *list = NULL;
	int status;

	for (size_t i = 0; i < line->argument_count; i++)
		if (!is_claim_id(line->argument[i]))
			return session_fail(session, EXIT_USAGE, "invalid claim name \"%s\"", line->argument[i]);
	status = session_connect(session);
	if (status != EXIT_DONE)
		return status;
	if (line->json) {
		list = json_object_new_array();
		if (list == NULL)
			return session_fail(session, EXIT_FAILED, "out of memory");
	}
	for (size_t i = 0; i < line->argument_count; i++) {
		const char *id = line->argument[i];
		int one = list != NULL ? release_in_json(session, id, list) : release_in_words(session, id);

		if (status == EXIT_DONE)
			status = one;
	}
	if (list != NULL && claim_results_print(session, list) < 0)
		return session_fail(session, EXIT_FAILED, "out of memory");
	return status;
}

const struct verb verb_release = {
	.name = "release",
	.arguments = "CLAIM...",
	.summary = "end claims and return their devices",
	.text = "Ends claims, your own or, for operators, any claim, and shows the result of\n"
		"each: free, or lingering (a process still holds a file descriptor) or\n"
		"quarantined (only an operator can release it), which is exit status 4. Tries all\n"
		"of them; the exit status is that of the first failure.\n",
	.minimum = 1,
	.maximum = ARGUMENTS_UNLIMITED,
	.run = run,
};
