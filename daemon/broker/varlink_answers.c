#include "varlink_answers.h"

#include "varlink_json.h"

#include <stdio.h>
#include <string.h>

static struct json_object *object_with_message(const char *message)
{
	struct json_object *object = json_object_new_object();

	if (message)
		json_object_object_add(object, "message", json_object_new_string(message));
	return object;
}

/* Puts the FDs into the list and their indices into the JSON. */
static void reply_offer(struct varlink_client *client, const struct answer *answer)
{
	struct offer *offer = answer->offer;
	const struct claim *claim = answer->claim;
	struct json_object *object = json_object_new_object(), *devices = json_object_new_array(),
			   *lockouts = json_object_new_array();
	struct descriptors fds = { .count = 0 };

	json_object_object_add(object, "claim", json_object_new_string(claim->id));
	if (offer->lease >= 0) {
		json_object_object_add(object, "mode", json_object_new_string(delivery_mode_to_string(answer->mode)));
		json_object_object_add(object, "lease", json_object_new_int((int)fds.count));
		descriptors_add(&fds, descriptor_take(&offer->lease));
		json_object_object_add(object, "iommufd",
				       offer->context >= 0 ? json_object_new_int((int)fds.count) : NULL);
		if (offer->context >= 0)
			descriptors_add(&fds, descriptor_take(&offer->context));
		json_object_object_add(object, "ioas_id",
				       claim->ioas_id ? json_object_new_int64(claim->ioas_id) : NULL);
		/* UINT64_MAX, no limit, is more than Varlink's integers hold. */
		json_object_object_add(object, "memlock",
				       claim->memlock ? json_object_new_int64(claim->memlock > INT64_MAX
										      ? INT64_MAX
										      : (int64_t)claim->memlock)
						      : NULL);
	}
	for (size_t i = 0; i < offer->device_fds.count; i++) {
		struct json_object *device = json_object_new_object();

		json_object_object_add(device, "address", json_object_new_string(offer->device[i]));
		json_object_object_add(device, "fd", json_object_new_int((int)fds.count));
		json_object_array_add(devices, device);
		descriptors_add(&fds, descriptors_take(&offer->device_fds, i));
	}
	for (size_t i = 0; i < offer->lockout_count; i++)
		json_object_array_add(lockouts, json_object_new_string(offer->lockout[i]));
	json_object_object_add(object, "devices", devices);
	json_object_object_add(object, "lockouts", lockouts);
	varlink_connection_reply(client->connection, object, &fds);
}

/* The headline of a refusal: the blocker that its status comes from. */
static const char *headline(const struct decision *decision)
{
	for (size_t i = 0; i < decision->blocker_count; i++)
		if (blocker_kind_to_exit_status(decision->blocker[i].kind) == decision->status)
			return decision->blocker[i].message;
	return "the claim is refused";
}

static const char *refusal_name(enum exit_status status)
{
	switch (status) {
	case EXIT_REFUSED:
		return "org.ioasid1.RefusedByPolicy";
	case EXIT_BUSY:
		return "org.ioasid1.Busy";
	case EXIT_UNKNOWN:
		return "org.ioasid1.NotFound";
	case EXIT_UNSUPPORTED:
		return "org.ioasid1.Unsupported";
	case EXIT_DONE:
	case EXIT_FAILED:
	case EXIT_USAGE:
	case EXIT_UNREACHABLE:
		break;
	}
	return "org.ioasid1.Failed";
}

static void reply_refusal(struct varlink_client *client, const struct decision *decision)
{
	struct json_object *object = object_with_message(headline(decision));

	json_object_object_add(object, "status", json_object_new_int(decision->status));
	json_object_object_add(object, "blockers", varlink_blockers(decision));
	json_object_object_add(object, "lockouts", varlink_lockouts(decision));
	varlink_connection_error(client->connection, refusal_name(decision->status), object);
}

static void reply_no_claim(struct varlink_client *client)
{
	struct json_object *object = object_with_message("there is no such claim, or it is not yours: see ioasidctl list");

	json_object_object_add(object, "status", json_object_new_int(EXIT_UNKNOWN));
	json_object_object_add(object, "blockers", json_object_new_array());
	json_object_object_add(object, "lockouts", json_object_new_array());
	varlink_connection_error(client->connection, "org.ioasid1.NotFound", object);
}

static void reply_failure(struct varlink_client *client, const struct answer *answer)
{
	const struct wire_result *result = answer->result;
	struct json_object *object = object_with_message(answer->message);
	const char *step = result && result->kind < STEP_KIND_COUNT
				   ? step_kind_to_string((enum step_kind)result->kind)
				   : "";

	json_object_object_add(object, "status", json_object_new_int(EXIT_FAILED));
	json_object_object_add(object, "step", varlink_text_or_null(step));
	json_object_object_add(object, "device", varlink_text_or_null(result ? result->device : ""));
	json_object_object_add(object, "errno",
			       result && result->error ? json_object_new_int(result->error) : NULL);
	varlink_connection_error(client->connection, "org.ioasid1.Failed", object);
}

/* Errors that name a claim, and its state where that is the matter. */
static void reply_claim_error(struct varlink_client *client, const char *error, const struct answer *answer)
{
	struct json_object *object = object_with_message(answer->message);

	json_object_object_add(object, "claim", json_object_new_string(answer->claim->id));
	if (answer->kind == ANSWER_WRONG_STATE)
		json_object_object_add(object, "state",
				       json_object_new_string(claim_state_to_string(answer->claim->state)));
	varlink_connection_error(client->connection, error, object);
}

static void reply_released(struct varlink_client *client, const struct answer *answer)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "state", json_object_new_string(claim_state_to_string(answer->state)));
	json_object_object_add(object, "note", varlink_text_or_null(answer->note ? answer->note : ""));
	varlink_connection_reply(client->connection, object, NULL);
}

static void reply_plan(struct varlink_client *client, const struct answer *answer)
{
	const struct topology *topology = host_topology(arbiter_registry(client->arbiter)->host);
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "plan", varlink_plan(answer->decision, answer->uses, topology, answer->mode));
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
	case ANSWER_RELEASED:
		reply_released(client, answer);
		break;
	case ANSWER_REFUSED:
		reply_refusal(client, answer->decision);
		break;
	case ANSWER_FAILED:
		reply_failure(client, answer);
		break;
	case ANSWER_NO_CLAIM:
		reply_no_claim(client);
		break;
	case ANSWER_WRONG_STATE:
		reply_claim_error(client, "org.ioasid1.WrongState", answer);
		break;
	case ANSWER_UNACKNOWLEDGED:
		reply_claim_error(client, "org.ioasid1.UnacknowledgedDescriptors", answer);
		break;
	}
}
