#include "varlink_answers.h"

#include "../audit_report.h"

#include "../answer_error.h"
#include "../offer_report.h"

#include "../../../../policy/util/json_write.h"
#include "../../../../policy/report/reply_json.h"
#include "../../../../policy/report/snapshot.h"

#include <stdio.h>
#include <string.h>

static struct json_object *object_with_message(const char *message)
{
	struct json_object *object = json_make_object();

	if (message)
		json_set(object, "message", json_make_string(message));
	return object;
}

static void reply_offer(struct varlink_client *client, const struct answer *answer)
{
	struct descriptors fds = { .count = 0 };
	struct json_object *object = offer_report(client->arbiter, answer, &fds, true);

	varlink_connection_reply(client->connection, object, &fds);
}

/* An error, by the last part of its name, and what belongs to it. */
static void reply_error(struct varlink_client *client, const struct answer *answer, struct json_object *object)
{
	char name[64];

	snprintf(name, sizeof(name), "org.ioasid1.%s", answer_error_name(answer));
	varlink_connection_error(client->connection, name, object);
}

static void reply_refusal(struct varlink_client *client, const struct answer *answer)
{
	const struct decision *decision = answer->decision;
	struct json_object *object = object_with_message(answer_error_message(answer));

	json_set(object, "status", json_make_number(decision->status));
	json_set(object, "blockers", reply_json_blockers(decision));
	json_set(object, "lockouts", reply_json_lockouts(decision));
	reply_error(client, answer, object);
}

/* A refusal that no decision was needed for. */
static void reply_bare_refusal(struct varlink_client *client, const struct answer *answer, enum exit_status status)
{
	struct json_object *object = object_with_message(answer_error_message(answer));

	json_set(object, "status", json_make_number(status));
	json_set(object, "blockers", json_make_array());
	json_set(object, "lockouts", json_make_array());
	reply_error(client, answer, object);
}

static void reply_failure(struct varlink_client *client, const struct answer *answer)
{
	const struct wire_result *result = answer->result;
	struct json_object *object = object_with_message(answer_error_message(answer));
	const char *step =
		result && result->kind < STEP_KIND_COUNT ? step_kind_to_string((enum step_kind)result->kind) : "";

	json_set(object, "status", json_make_number(EXIT_FAILED));
	json_set(object, "step", json_make_string_or_null(step));
	json_set(object, "device", json_make_string_or_null(result ? result->device : ""));
	json_set(object, "errno", result && result->error ? json_make_number(result->error) : NULL);
	reply_error(client, answer, object);
}

/* Errors that name a claim, and its state where that is the matter. */
static void reply_claim_error(struct varlink_client *client, const struct answer *answer)
{
	struct json_object *object = object_with_message(answer->message);

	json_set(object, "claim", json_make_string(answer->claim->id));
	if (answer->kind == ANSWER_WRONG_STATE)
		json_set(object, "state", json_make_string(claim_state_to_string(answer->claim->state)));
	reply_error(client, answer, object);
}

static void reply_resumed(struct varlink_client *client, const struct answer *answer)
{
	struct json_object *object = json_make_object();
	struct descriptors fds = { .count = 0 };

	json_set(object, "claim", reply_json_claim(answer->claim));
	json_set(object, "lease", offer_report_fd(&fds, &answer->offer->lease));
	varlink_connection_reply(client->connection, object, &fds);
}

static void reply_released(struct varlink_client *client, const struct answer *answer)
{
	struct json_object *object = json_make_object();

	json_set(object, "state", json_make_string(claim_state_to_string(answer->state)));
	json_set(object, "note", json_make_string_or_null(answer->note ? answer->note : ""));
	varlink_connection_reply(client->connection, object, NULL);
}

static void reply_plan(struct varlink_client *client, const struct answer *answer)
{
	const struct host *host = arbiter_registry(client->arbiter)->host;
	struct json_object *object = json_make_object();

	json_set(object, "plan",
		 reply_json_plan(answer->decision, answer->uses, host_topology(host), host_kernel(host), answer->mode));
	varlink_connection_reply(client->connection, object, NULL);
}

static void reply_policy(struct varlink_client *client, const struct answer *answer)
{
	struct json_object *object = reply_json_policy(answer->policy);

	json_set(object, "warnings", reply_json_diagnostics(answer->diagnostics));
	json_set(object, "no_longer_granted", reply_json_regrants(answer->regrants));
	varlink_connection_reply(client->connection, object, NULL);
}

static void reply_policy_invalid(struct varlink_client *client, const struct answer *answer)
{
	struct json_object *object = object_with_message(answer->message);

	json_set(object, "diagnostics", reply_json_diagnostics(answer->diagnostics));
	reply_error(client, answer, object);
}

static void reply_snapshot(struct varlink_client *client, const struct answer *answer)
{
	struct json_object *snapshot = snapshot_to_json(answer->snapshot), *object = json_make_object();

	if (!snapshot) {
		json_object_put(object);
		reply_failure(client, &(struct answer){ .kind = ANSWER_FAILED, .message = "ioasidd is out of memory" });
		return;
	}
	json_set(object, "snapshot", snapshot);
	varlink_connection_reply(client->connection, object, NULL);
}

void varlink_answers_write(void *context, const struct answer *answer)
{
	struct varlink_client *client = context;

	switch (answer->kind) {
	case ANSWER_PLAN:
		reply_plan(client, answer);
		break;
	case ANSWER_OFFER:
		reply_offer(client, answer);
		break;
	case ANSWER_DONE:
		varlink_connection_reply(client->connection, NULL, NULL);
		break;
	case ANSWER_RESUMED:
		reply_resumed(client, answer);
		break;
	case ANSWER_RELEASED:
		reply_released(client, answer);
		break;
	case ANSWER_REFUSED:
		reply_refusal(client, answer);
		break;
	case ANSWER_FAILED:
		reply_failure(client, answer);
		break;
	case ANSWER_NO_CLAIM:
		reply_bare_refusal(client, answer, EXIT_UNKNOWN);
		break;
	case ANSWER_WRONG_STATE:
		reply_claim_error(client, answer);
		break;
	case ANSWER_POLICY:
		reply_policy(client, answer);
		break;
	case ANSWER_POLICY_INVALID:
		reply_policy_invalid(client, answer);
		break;
	case ANSWER_AUDIT:
		varlink_connection_reply(client->connection, audit_to_json(answer->audit), NULL);
		break;
	case ANSWER_SNAPSHOT:
		reply_snapshot(client, answer);
		break;
	case ANSWER_NO_OPERATOR:
		reply_error(client, answer, object_with_message(answer->message));
		break;
	case ANSWER_UNSUPPORTED:
		reply_bare_refusal(client, answer, EXIT_UNSUPPORTED);
		break;
	case ANSWER_UNACKNOWLEDGED:
		reply_claim_error(client, answer);
		break;
	}
}
