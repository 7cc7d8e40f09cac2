#include "verb_revoke.h"

#include "claim_results.h"
#include "../core/device_names.h"
#include "../view/event_text.h"
#include "../core/reply.h"
#include "../core/session.h"

#include "../../json_build.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

/* A claim that is to be revoked, and what came of it. */
struct target {
	char id[CLAIM_ID_MAX];
	char state[32];            /* the last that is known; "" none is */
	struct json_object *error; /* why it could not be revoked; NULL: it was */
	bool settled;              /* it is free, or waits for somebody other than its client */
};

struct targets {
	struct target *target;
	size_t count;
};

static bool has(const struct targets *targets, const char *id)
{
	for (size_t i = 0; i < targets->count; i++)
		if (strcmp(targets->target[i].id, id) == 0)
			return true;
	return false;
}

static void add(struct targets *targets, struct json_object *claim)
{
	const char *id = reply_string(claim, "id", "");

	if (*id == '\0' || strlen(id) >= CLAIM_ID_MAX || has(targets, id))
		return;
	snprintf(targets->target[targets->count++].id, CLAIM_ID_MAX, "%s", id);
}

static bool lists(struct json_object *list, const char *name)
{
	for (size_t i = 0; i < reply_count(list); i++)
		if (strcmp(reply_text(list, i), name) == 0)
			return true;
	return false;
}

/* The claim of that id, or the one that has that device; NULL: there is none that this user sees. */
static struct json_object *find(struct json_object *claims, const char *argument)
{
	char device[DEVICE_NAME_MAX] = "";
	struct json_object *claim = reply_find(claims, "id", argument);

	if (claim != NULL || device_name_read(argument, device) < 0)
		return claim;
	for (size_t i = 0; i < reply_count(claims); i++) {
		claim = reply_entry(claims, i);
		if (lists(reply_list(claim, "devices"), device) || lists(reply_list(claim, "lockouts"), device))
			return claim;
	}
	return NULL;
}

/* Finds out which claims are meant. EXIT_DONE, or the status of a failure that was told, with nothing revoked. */
static int choose(struct session *session, struct json_object *claims, struct targets *targets)
{
	const struct command_line *line = session->line;

	targets->target = calloc(reply_count(claims) + 1, sizeof(*targets->target));
	if (targets->target == NULL)
		return session_fail(session, EXIT_FAILED, "out of memory");
	for (size_t i = 0; line->all && i < reply_count(claims); i++)
		add(targets, reply_entry(claims, i));
	for (size_t i = 0; i < line->argument_count; i++) {
		struct json_object *claim = find(claims, line->argument[i]);

		if (claim == NULL)
			return session_fail(
				session, EXIT_UNKNOWN,
				"no claim %s and no claim of such a device, or permission denied; nothing was revoked",
				line->argument[i]);
		add(targets, claim);
	}
	return EXIT_DONE;
}

static struct json_object *question(const struct command_line *line, const char *id)
{
	struct json_object *parameters = json_object_new_object();

	if (parameters != NULL && json_build_set(parameters, "claim", json_object_new_string(id)) == 0 &&
	    (line->grace < 0 || json_build_set(parameters, "grace", json_object_new_int64(line->grace)) == 0) &&
	    (line->reason == NULL || json_build_set(parameters, "reason", json_object_new_string(line->reason)) == 0) &&
	    (!line->unbind || json_build_set(parameters, "unbind", json_object_new_boolean(true)) == 0))
		return parameters;
	json_object_put(parameters);
	return NULL;
}

/* Returns the exit status of this claim. */
static int revoke(struct session *session, struct target *target)
{
	struct json_object *parameters = question(session->line, target->id);
	const char *text = parameters != NULL ? json_build_text(parameters) : NULL;
	int result = text != NULL ? ioasid_call(session->connection, "org.ioasid1.Revoke", text, NULL) : -ENOMEM;
	char what[64];

	json_object_put(parameters);
	if (result == 0)
		return EXIT_DONE;
	target->settled = true;
	target->error = session_error(session);
	if (!session->line->json) {
		snprintf(what, sizeof(what), "cannot revoke %s", target->id);
		session_report(session, what);
	}
	return (int)reply_number(target->error, "status", EXIT_FAILED);
}

/* What an event says of a claim that was revoked. */
static void take_event(struct session *session, struct targets *targets, struct json_object *event)
{
	struct json_object *claim = reply_object(event, "claim");
	const char *kind = reply_string(event, "kind", ""), *state = reply_string(claim, "state", "");

	for (size_t i = 0; i < targets->count; i++) {
		struct target *target = &targets->target[i];

		if (claim == NULL || strcmp(target->id, reply_string(claim, "id", "")) != 0 || target->settled)
			continue;
		snprintf(target->state, sizeof(target->state), "%s", state);
		target->settled = strcmp(kind, "claim-gone") == 0 || strcmp(state, "quarantined") == 0;
		if (!session->line->json && strncmp(kind, "device", 6) != 0)
			event_text_write(&session->out, event);
	}
	fflush(session->out.stream);
}

static bool all_settled(const struct targets *targets)
{
	for (size_t i = 0; i < targets->count; i++)
		if (!targets->target[i].settled)
			return false;
	return true;
}

/* Until nothing is to be waited for any more. EXIT_DONE, or the status of a failure that was told. */
static int wait_for_all(struct session *session, struct ioasid_monitor *monitor, struct targets *targets)
{
	while (!all_settled(targets)) {
		struct json_object *event;
		char *text;

		if (ioasid_monitor_next(session->connection, monitor, -1, &text) < 0)
			return session_report(session, "the result for the claims is unknown");
		event = reply_parse(text);
		take_event(session, targets, event);
		json_object_put(event);
		free(text);
	}
	return EXIT_DONE;
}

static int set_text(struct json_object *object, const char *key, const char *text)
{
	return *text != '\0' ? json_build_set(object, key, json_object_new_string(text))
			     : json_object_object_add(object, key, NULL);
}

/* {"claim", "state"} or {"claim", "error"}; NULL: out of memory. */
static struct json_object *describe(const struct target *target)
{
	struct json_object *entry = json_object_new_object();
	int result = entry != NULL ? set_text(entry, "claim", target->id) : -ENOMEM;

	if (result == 0 && target->error != NULL)
		result = json_build_set(entry, "error", json_object_get(target->error));
	else if (result == 0)
		result = set_text(entry, "state", target->state);
	if (result == 0)
		return entry;
	json_object_put(entry);
	return NULL;
}

static int print(struct session *session, const struct targets *targets)
{
	struct json_object *list = json_object_new_array();
	int result = list != NULL ? 0 : -ENOMEM;

	for (size_t i = 0; i < targets->count && result == 0; i++)
		result = json_build_append(list, describe(&targets->target[i]));
	if (result == 0)
		return claim_results_print(session, list);
	json_object_put(list);
	return result;
}

/* What came of it all, told; status: of what has failed by now. */
static int conclude(struct session *session, const struct targets *targets, int status)
{
	for (size_t i = 0; i < targets->count; i++) {
		const struct target *target = &targets->target[i];

		if (!session->line->json && target->error == NULL && !session->line->wait)
			layout_sentence_of(&session->out, "", 2, "claim %s: revocation started", target->id);
		if (status == EXIT_DONE && strcmp(target->state, "quarantined") == 0)
			status = EXIT_BUSY;
	}
	if (session->line->json && print(session, targets) < 0)
		return session_fail(session, EXIT_FAILED, "out of memory");
	if (!session->line->json && targets->count == 0)
		layout_sentence(&session->out, "", 2, "no claims");
	return status;
}

static int revoke_all(struct session *session, struct targets *targets)
{
	struct ioasid_monitor *monitor = NULL;
	int status = EXIT_DONE;

	/* Before the first is revoked: nothing that becomes of it shall be missed. */
	if (session->line->wait && ioasid_monitor_open(session->connection, NULL, &monitor) < 0)
		return session_report(session, "cannot watch the claims, so nothing was revoked");
	for (size_t i = 0; i < targets->count; i++) {
		int one = revoke(session, &targets->target[i]);

		if (status == EXIT_DONE)
			status = one;
	}
	if (monitor != NULL) {
		int waited = wait_for_all(session, monitor, targets);

		status = status == EXIT_DONE ? waited : status;
	}
	ioasid_monitor_close(monitor);
	return conclude(session, targets, status);
}

static int run(struct session *session)
{
	const struct command_line *line = session->line;
	struct targets targets = { .count = 0 };
	struct json_object *reply;
	int status;

	if (line->all == (line->argument_count > 0))
		return session_fail(session, EXIT_USAGE, "revoke needs either claims or devices, or --all");
	status = session_call(session, "cannot list claims", "org.ioasid1.ListClaims", NULL, &reply);
	if (status != EXIT_DONE)
		return status;
	status = choose(session, reply_list(reply, "claims"), &targets);
	if (status == EXIT_DONE)
		status = revoke_all(session, &targets);
	for (size_t i = 0; i < targets.count; i++)
		json_object_put(targets.target[i].error);
	free(targets.target);
	json_object_put(reply);
	return status;
}

const struct verb verb_revoke = {
	.name = "revoke",
	.arguments = "CLAIM|DEVICE...",
	.summary = "revoke claims",
	.text = "For operators. Asks the client of each claim, or of the claim that has DEVICE,\n"
		"to release it. After the grace period the mappings are removed and, if the rule\n"
		"says so, the processes that hold the devices are stopped. --all revokes every\n"
		"claim. --unbind ends a claim that lingers although no holder can be found: its\n"
		"devices are unbound, which waits for any holder; it takes nothing from a process\n"
		"that is seen to hold them. Returns at once; with --wait, shows what happens\n"
		"until the devices are free or quarantined, which is exit status 4. Tries all of\n"
		"them; the exit status is that of the first failure.\n",
	.options = OPTION_REVOCATION | OPTION_ALL,
	.minimum = 0,
	.maximum = ARGUMENTS_UNLIMITED,
	.run = run,
};
