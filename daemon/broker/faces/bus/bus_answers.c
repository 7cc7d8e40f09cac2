#include "bus_answers.h"

#include "../answer_error.h"
#include "../audit_report.h"
#include "bus_text.h"
#include "bus_variant.h"
#include "../offer_report.h"

#include "../../../../policy/util/json_write.h"
#include "../../../../policy/report/reply_json.h"
#include "../../../../policy/report/snapshot.h"
#include "../../../../policy/util/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Answers with one dictionary. object: owned by this function. */
static void reply_object(struct bus_call *call, struct json_object *object)
{
	sd_bus_message *reply = NULL;
	int error = bus_call_reply_new(call, &reply);

	if (error >= 0)
		error = bus_variant_append(reply, object, NULL, NULL);
	json_object_put(object);
	bus_call_reply(call, reply, error);
}

static void reply_plan(struct bus_call *call, const struct answer *answer)
{
	const struct host *host = arbiter_registry(call->books->arbiter)->host;

	reply_object(call, reply_json_plan(answer->decision, answer->uses, host_topology(host), host_kernel(host),
					   answer->mode));
}

static void reply_policy(struct bus_call *call, const struct answer *answer)
{
	struct json_object *object = reply_json_policy(answer->policy);

	json_set(object, "warnings", reply_json_diagnostics(answer->diagnostics));
	json_set(object, "no_longer_granted", reply_json_regrants(answer->regrants));
	reply_object(call, object);
}

/* What is wrong with the policy, one a line: as much as fits into a message for people. */
static void reply_policy_invalid(struct bus_call *call, const struct answer *answer)
{
	const struct diagnostics *diagnostics = answer->diagnostics;
	char text[16 * TEXT_MAX];

	text_format(text, sizeof(text), "%s", answer_error_message(answer));
	for (size_t i = 0; i < diagnostics->count; i++)
		text_append(text, sizeof(text), "\n%s:%u:%u: %s%s", diagnostics->item[i].file,
			    diagnostics->item[i].line, diagnostics->item[i].column,
			    diagnostics->item[i].error ? "" : "warning: ", diagnostics->item[i].message);
	bus_call_fail(call, answer_error_name(answer), text);
}

static void reply_snapshot(struct bus_call *call, const struct answer *answer)
{
	struct json_object *snapshot = snapshot_to_json(answer->snapshot);
	const char *text = json_text(snapshot);
	sd_bus_message *reply = NULL;
	int error = text ? bus_call_reply_new(call, &reply) : -ENOMEM;

	if (error >= 0)
		error = bus_text_append(reply, text);
	json_object_put(snapshot);
	bus_call_reply(call, reply, error);
}

static void reply_released(struct bus_call *call, const struct answer *answer)
{
	sd_bus_message *reply = NULL;
	int error = bus_call_reply_new(call, &reply);

	if (error >= 0)
		error = bus_text_append(reply, claim_state_to_string(answer->state));
	if (error >= 0)
		error = bus_text_append(reply, answer->note ? answer->note : "");
	bus_call_reply(call, reply, error);
}

/* Takes the descriptors of groups and devices out of an offer. NULL: out of memory. */
static struct bus_offer *keep(const struct claim *claim, struct offer *offer)
{
	struct bus_offer *kept = calloc(1, sizeof(*kept));

	if (!kept)
		return NULL;
	memcpy(kept->claim, claim->id, sizeof(kept->claim));
	for (size_t i = 0; i < offer->group_count; i++) {
		kept->group[i].number = offer->group[i].number;
		kept->group[i].fd = descriptor_take(&offer->group[i].fd);
	}
	kept->group_count = offer->group_count;
	for (size_t i = 0; i < offer->device_count; i++) {
		memcpy(kept->device[i].name, offer->device[i].device->before.name, sizeof(kept->device[i].name));
		kept->device[i].fd = descriptor_take(&offer->device[i].fd);
	}
	kept->device_count = offer->device_count;
	kept->by_descriptor = claim->lease.kind == LEASE_DESCRIPTOR;
	return kept;
}

static void reply_offer(struct bus_call *call, const struct answer *answer)
{
	static const char *const texts[] = { "lockouts", "nodes", NULL };
	struct descriptors fds = { .count = 0 };
	struct bus_offer *kept = keep(answer->claim, answer->offer);
	struct json_object *object = offer_report(call->books->arbiter, answer, &fds, false);
	sd_bus_message *reply = NULL;
	char path[BUS_PATH_MAX];
	int error = kept ? bus_call_reply_new(call, &reply) : -ENOMEM;

	/* By its name as everywhere else where it is told; its groups stand with its devices. */
	json_unset(object, "claim");
	json_unset(object, "groups");
	if (call->object.node == BUS_NODE_MANAGER)
		json_set(object, "id", json_make_string(answer->claim->id));
	/* Without a descriptor of the process nobody's limit is changed. */
	if (call->requester.pidfd < 0)
		json_unset(object, "memlock");
	if (error >= 0 && call->object.node == BUS_NODE_MANAGER)
		error = sd_bus_message_append(reply, "o", bus_path_of_claim(answer->claim->id, path));
	if (error >= 0)
		error = bus_variant_append(reply, object, &fds, texts);
	json_object_put(object);
	descriptors_close(&fds);
	call->offer = kept;
	bus_call_reply(call, reply, error);
}

/* A claim that was taken up again, with the lease it may have got. */
static void reply_resumed(struct bus_call *call, const struct answer *answer)
{
	static const char *const texts[] = { "devices", "lockouts", NULL };
	struct json_object *object = reply_json_claim(answer->claim);
	struct descriptors fds = { .count = 0 };
	sd_bus_message *reply = NULL;
	int error = bus_call_reply_new(call, &reply);

	/* Here "lease" is the descriptor: what kind it is the other methods tell. */
	json_set(object, "lease", offer_report_fd(&fds, &answer->offer->lease));
	if (error >= 0)
		error = bus_variant_append(reply, object, &fds, texts);
	json_object_put(object);
	descriptors_close(&fds);
	bus_call_reply(call, reply, error);
}

void bus_answers_open(struct bus_call *call, struct bus_offer *offer, const struct claim *claim,
		      const struct claim_device *device)
{
	static const char *const texts[] = { "nodes", NULL };
	sd_bus *bus = call->books->bus;
	uint64_t waits = 0;
	struct json_object *object = json_make_object();
	struct descriptors fds = { .count = 0 };
	sd_bus_message *reply = NULL;
	int error = bus_call_reply_new(call, &reply), fd;

	json_set(object, "name", json_make_string(device->before.name));
	json_set(object, "group", json_make_number(device->before.group));
	for (size_t i = 0; i < offer->device_count && error >= 0; i++) {
		if (strcmp(offer->device[i].name, device->before.name) != 0 || offer->device[i].fd < 0)
			continue;
		fd = fcntl(offer->device[i].fd, F_DUPFD_CLOEXEC, 3);
		error = fd < 0 ? -errno : 0;
		json_set(object, "fd", offer_report_fd(&fds, &fd));
	}
	for (size_t i = 0; i < offer->group_count && error >= 0; i++) {
		if (offer->group[i].number != device->before.group || offer->group[i].fd < 0)
			continue;
		fd = fcntl(offer->group[i].fd, F_DUPFD_CLOEXEC, 3);
		error = fd < 0 ? -errno : 0;
		json_set(object, "group_fd", offer_report_fd(&fds, &fd));
	}
	json_set(object, "nodes", offer_report_nodes(call->books->arbiter, claim, device));
	if (error >= 0)
		error = bus_variant_append(reply, object, &fds, texts);
	json_object_put(object);
	descriptors_close(&fds);
	bus_call_reply(call, reply, error);
	offer->queued |= sd_bus_get_n_queued_write(bus, &waits) >= 0 && waits > 0;
}

void bus_answers_write(void *context, const struct answer *answer)
{
	struct bus_call *call = context;

	/* The offer's own requester acknowledges; whoever called is answered. */
	if (call->acknowledgement) {
		call = call->acknowledgement;
		((struct bus_call *)context)->acknowledgement = NULL;
	}
	/* It has had its one answer: what is told of a call that is over is told to nobody. */
	if (!call->message)
		return;
	switch (answer->kind) {
	case ANSWER_PLAN:
		reply_plan(call, answer);
		break;
	case ANSWER_OFFER:
		reply_offer(call, answer);
		break;
	case ANSWER_DONE:
		bus_call_reply_done(call);
		break;
	case ANSWER_RELEASED:
		reply_released(call, answer);
		break;
	case ANSWER_POLICY:
		reply_policy(call, answer);
		break;
	case ANSWER_POLICY_INVALID:
		reply_policy_invalid(call, answer);
		break;
	case ANSWER_SNAPSHOT:
		reply_snapshot(call, answer);
		break;
	case ANSWER_AUDIT:
		reply_object(call, audit_to_json(answer->audit));
		break;
	case ANSWER_RESUMED:
		reply_resumed(call, answer);
		break;
	case ANSWER_REFUSED:
	case ANSWER_FAILED:
	case ANSWER_UNSUPPORTED:
	case ANSWER_NO_CLAIM:
	case ANSWER_WRONG_STATE:
	case ANSWER_NO_OPERATOR:
	case ANSWER_UNACKNOWLEDGED:
		bus_call_fail(call, answer_error_name(answer), answer_error_message(answer));
		break;
	}
}
