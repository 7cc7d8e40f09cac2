#include "varlink_answers.h"


#include "../../policy/reply_json.h"
#include "../../policy/snapshot.h"

#include <stdio.h>
#include <string.h>

static struct json_object *object_with_message(const char *message)
{
	struct json_object *object = json_object_new_object();

	if (message)
		json_object_object_add(object, "message", json_object_new_string(message));
	return object;
}

/* Moves an FD into the list; its index, or null for none. */
static struct json_object *index_of(struct descriptors *fds, int *fd)
{
	if (*fd < 0 || descriptors_add(fds, *fd) < 0)
		return NULL;
	*fd = -1;
	return json_object_new_int((int)fds->count - 1);
}

/* What only a new claim's reply has. */
static void add_claim(struct json_object *object, struct descriptors *fds, const struct answer *answer)
{
	struct offer *offer = answer->offer;
	const struct claim *claim = answer->claim;
	bool container = claim->interface == INTERFACE_GROUP;

	json_object_object_add(object, "mode", json_object_new_string(delivery_mode_to_string(answer->mode)));
	json_object_object_add(object, "interface",
			       json_object_new_string(vfio_interface_to_string(claim->interface)));
	json_object_object_add(object, "lease", index_of(fds, &offer->lease));
	json_object_object_add(object, "iommufd", container ? NULL : index_of(fds, &offer->context));
	json_object_object_add(object, "container", container ? index_of(fds, &offer->context) : NULL);
	json_object_object_add(object, "ioas_id", claim->ioas_id ? json_object_new_int64(claim->ioas_id) : NULL);
	/* UINT64_MAX, no limit, is more than Varlink's integers hold. */
	json_object_object_add(object, "memlock",
			       claim->memlock ? json_object_new_int64(claim->memlock > INT64_MAX
									      ? INT64_MAX
									      : (int64_t)claim->memlock)
					      : NULL);
}

/* The paths that the client may open in mode node. */
static struct json_object *nodes_of(const struct varlink_client *client, const struct claim *claim,
				    const struct claim_device *device)
{
	struct host *host = arbiter_registry(client->arbiter)->host;
	const struct device *now = topology_find(host_topology(host), device->before.name);
	struct json_object *nodes = json_object_new_array();
	char path[64];

	if (claim->mode != MODE_NODE || !now)
		return nodes;
	if (claim->interface == INTERFACE_IOMMUFD && now->vfio_node[0]) {
		snprintf(path, sizeof(path), "/dev/vfio/devices/%s", now->vfio_node);
		json_object_array_add(nodes, json_object_new_string(path));
	}
	if (host_kernel(host)->vfio_group) {
		snprintf(path, sizeof(path), "/dev/vfio/%d", now->group);
		json_object_array_add(nodes, json_object_new_string(path));
	}
	return nodes;
}

/* Puts the FDs into the list and their indices into the JSON. */
static void reply_offer(struct varlink_client *client, const struct answer *answer)
{
	struct offer *offer = answer->offer;
	struct json_object *object = json_object_new_object(), *groups = json_object_new_array(),
			   *devices = json_object_new_array(), *lockouts = json_object_new_array();
	struct descriptors fds = { .count = 0 };

	json_object_object_add(object, "claim", json_object_new_string(answer->claim->id));
	if (offer->lease >= 0)
		add_claim(object, &fds, answer);
	for (size_t i = 0; i < offer->group_count; i++) {
		struct json_object *group = json_object_new_object();

		json_object_object_add(group, "group", json_object_new_int(offer->group[i].number));
		json_object_object_add(group, "fd", index_of(&fds, &offer->group[i].fd));
		json_object_array_add(groups, group);
	}
	for (size_t i = 0; i < offer->device_count; i++) {
		const struct claim_device *claimed = offer->device[i].device;
		struct json_object *device = json_object_new_object();

		json_object_object_add(device, "address", json_object_new_string(claimed->before.name));
		json_object_object_add(device, "group", json_object_new_int(claimed->before.group));
		json_object_object_add(device, "fd", index_of(&fds, &offer->device[i].fd));
		json_object_object_add(device, "nodes", nodes_of(client, answer->claim, claimed));
		json_object_array_add(devices, device);
	}
	for (size_t i = 0; i < offer->lockout_count; i++)
		json_object_array_add(lockouts, json_object_new_string(offer->lockout[i]));
	json_object_object_add(object, "groups", groups);
	json_object_object_add(object, "devices", devices);
	json_object_object_add(object, "lockouts", lockouts);
	varlink_connection_reply(client->connection, object, &fds);
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
	const struct blocker *headline = decision_headline(decision);
	struct json_object *object = object_with_message(headline ? headline->message : "the claim is refused");

	json_object_object_add(object, "status", json_object_new_int(decision->status));
	json_object_object_add(object, "blockers", reply_json_blockers(decision));
	json_object_object_add(object, "lockouts", reply_json_lockouts(decision));
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
	json_object_object_add(object, "step", reply_json_text_or_null(step));
	json_object_object_add(object, "device", reply_json_text_or_null(result ? result->device : ""));
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
	json_object_object_add(object, "note", reply_json_text_or_null(answer->note ? answer->note : ""));
	varlink_connection_reply(client->connection, object, NULL);
}

static void reply_plan(struct varlink_client *client, const struct answer *answer)
{
	const struct host *host = arbiter_registry(client->arbiter)->host;
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "plan", reply_json_plan(answer->decision, answer->uses, host_topology(host),
							    host_kernel(host), answer->mode));
	varlink_connection_reply(client->connection, object, NULL);
}

static void reply_policy(struct varlink_client *client, const struct answer *answer)
{
	struct json_object *object = reply_json_policy(answer->policy);

	json_object_object_add(object, "warnings", reply_json_diagnostics(answer->diagnostics));
	json_object_object_add(object, "no_longer_granted", reply_json_regrants(answer->regrants));
	varlink_connection_reply(client->connection, object, NULL);
}

static void reply_policy_invalid(struct varlink_client *client, const struct answer *answer)
{
	struct json_object *object = object_with_message(answer->message);

	json_object_object_add(object, "diagnostics", reply_json_diagnostics(answer->diagnostics));
	varlink_connection_error(client->connection, "org.ioasid1.PolicyInvalid", object);
}

static void reply_snapshot(struct varlink_client *client, const struct answer *answer)
{
	struct json_object *snapshot = snapshot_to_json(answer->snapshot), *object = json_object_new_object();

	if (!snapshot) {
		json_object_put(object);
		reply_failure(client, &(struct answer){ .kind = ANSWER_FAILED, .message = "ioasidd is out of memory" });
		return;
	}
	json_object_object_add(object, "snapshot", snapshot);
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
	case ANSWER_POLICY:
		reply_policy(client, answer);
		break;
	case ANSWER_POLICY_INVALID:
		reply_policy_invalid(client, answer);
		break;
	case ANSWER_SNAPSHOT:
		reply_snapshot(client, answer);
		break;
	case ANSWER_NO_OPERATOR:
		varlink_connection_error(client->connection, "org.ioasid1.OperatorsOnly",
					 object_with_message(answer->message));
		break;
	case ANSWER_UNACKNOWLEDGED:
		reply_claim_error(client, "org.ioasid1.UnacknowledgedDescriptors", answer);
		break;
	}
}
