#include "binder.h"

#include "../../../policy/util/text.h"
#include "../../base/log.h"
#include "../devices/pci_device.h"
#include "recheck.h"
#include "transaction.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct binder {
	int socket;
	struct host host;
	const struct policy *policy;
};

/* True if the plan may be run. Else the refusal is in the result. */
static bool may_run(const struct binder *binder, const struct wire_plan_inbox *inbox, const struct run *run,
		    struct wire_result *result)
{
	/* Its FDs are the run's by now. */
	const struct wire_enclosure enclosure = {
		.context = -1, .peer = run->peer, .peer_fd = run->peer_fd, .owner = inbox->enclosure.owner
	};
	char why[TEXT_MAX] = "";

	/* A release was held against the ledger by the main process; under whichever policy, it must go through. */
	if (inbox->kind == WIRE_PLAN_RELEASE)
		return true;
	if (recheck_policy(inbox, binder->policy, why) &&
	    recheck_claim(&binder->host, binder->policy, &inbox->plan, &enclosure, why))
		return true;
	result->outcome = WIRE_OUTCOME_REFUSED;
	result->kind = STEP_KIND_COUNT;
	text_format(result->text, sizeof(result->text), "%s", why);
	return false;
}

/* The FDs of a claim: the context, unless it was passed in, then groups and devices in the order of their steps. */
static void take_descriptors(struct run *run, struct wire_result *result, struct descriptors *fds)
{
	if (!run->context_passed && run->context >= 0) {
		descriptors_add(fds, descriptor_take(&run->context));
		result->contexts = 1;
	}
	for (size_t i = 0; i < run->plan->count; i++) {
		const struct step *step = &run->plan->step[i];

		if (step->kind != STEP_GROUP)
			continue;
		descriptors_add(fds, descriptor_take(&run_device_of(run, step)->group_fd));
		result->groups++;
	}
	for (size_t i = 0; i < run->plan->count; i++) {
		const struct step *step = &run->plan->step[i];

		if (step->kind != STEP_OPEN && (step->kind != STEP_GROUP_DEVICE || step->number == 1))
			continue;
		descriptors_add(fds, descriptor_take(&run_device_of(run, step)->fd));
		result->devices++;
	}
}

/* Tells how the plan's devices are now: a driver_override changes without any event. */
static int tell_devices(const struct binder *binder, const struct run *run)
{
	for (size_t i = 0; i < run->device_count; i++) {
		union wire_message message;
		int error;

		memset(&message.device, 0, sizeof(message.device));
		if (pci_device_device(&binder->host, run->device[i].name, NULL, &message.device.device) < 0)
			continue; /* the watcher tells that it is gone */
		wire_stamp(&message, WIRE_DEVICE, 0);
		error = wire_send(binder->socket, &message, NULL, 0);
		if (error < 0)
			return error;
	}
	return 0;
}

/* Runs a plan and answers it. 0 or -errno of the socket. */
static int run_plan(struct binder *binder, struct wire_plan_inbox *inbox)
{
	autoclose_list struct descriptors fds = { .count = 0 };
	union wire_message message;
	struct wire_result *result = &message.result;
	uint64_t id = inbox->id;
	struct run run;
	int error;

	memset(result, 0, sizeof(*result));
	error = run_begin(&run, &binder->host, inbox);
	if (error < 0) {
		result->outcome = WIRE_OUTCOME_REFUSED;
		result->kind = STEP_KIND_COUNT;
		result->error = -error;
		text_format(result->text, sizeof(result->text), "the plan can't be begun: %s", strerror(-error));
	} else if (may_run(binder, inbox, &run, result)) {
		if (inbox->kind == WIRE_PLAN_CLAIM)
			transaction_claim(&run, result);
		else
			transaction_release(&run, result);
	}
	if (result->outcome == WIRE_OUTCOME_DONE && inbox->kind == WIRE_PLAN_CLAIM)
		take_descriptors(&run, result, &fds);
	if (result->outcome == WIRE_OUTCOME_HELD && run.context >= 0) {
		/* The claim goes on for a while, and its mappings can be removed only with it. */
		descriptors_add(&fds, descriptor_take(&run.context));
		result->contexts = 1;
	}
	error = result->outcome == WIRE_OUTCOME_REFUSED ? 0 : tell_devices(binder, &run);
	/* Before the answer: a passed context's last close unpins all its memory, and belongs to the work. */
	run_end(&run);
	wire_stamp(&message, WIRE_RESULT, id);
	return error == 0 ? wire_send(binder->socket, &message, fds.fd, fds.count) : error;
}

static int serve(struct binder *binder)
{
	struct wire_plan_inbox inbox = { 0 };
	int error;

	for (;;) {
		autoclose_list struct descriptors fds = { .count = 0 };
		union wire_message message;

		error = wire_receive(binder->socket, &message, &fds);
		if (error <= 0)
			break;
		error = message.header.type == WIRE_PLAN ? wire_plan_inbox_add(&inbox, &message.plan, &fds) : -EBADMSG;
		if (error < 0)
			break;
		if (error == 0)
			continue;
		error = run_plan(binder, &inbox);
		wire_plan_inbox_done(&inbox);
		if (error < 0)
			break;
	}
	wire_plan_inbox_done(&inbox);
	return error;
}

/* In the words of the wire that a worker has: all that was to be told at the start was told. */
static int say_ready(const struct binder *binder)
{
	union wire_message message;

	wire_stamp(&message, WIRE_TOPOLOGY_DONE, 0);
	return wire_send(binder->socket, &message, NULL, 0);
}

int binder_main(int socket, const struct policy *policy)
{
	struct binder binder = { .socket = socket, .policy = policy };
	int error = host_open(&binder.host, "");

	if (error == 0)
		error = say_ready(&binder);
	if (error == 0)
		error = serve(&binder);
	host_close(&binder.host);
	if (error == 0 || error == -EPIPE || error == -ECONNRESET)
		return EXIT_SUCCESS;
	log_error("a binder ends: %s", strerror(-error));
	return EXIT_FAILURE;
}
