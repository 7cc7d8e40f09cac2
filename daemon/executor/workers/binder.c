#include "binder.h"

#include "../../../policy/util/text.h"
#include "../../base/log.h"
#include "../devices/device_kind.h"
#include "../../plans/engine.h"
#include "../../plans/plan_admit.h"
#include "linux_calls.h"
#include "plan_context.h"
#include "recheck.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct binder {
	int socket;
	struct host host;
	const struct policy *policy;
};

/* True if the plan may be run. Else the refusal is in the result. */
static bool may_run(const struct binder *binder, const struct wire_plan_inbox *inbox,
		    const struct plan_context *context, struct wire_result *result)
{
	/* Its FDs are the run's by now. */
	const struct wire_enclosure enclosure = {
		.context = -1, .peer = context->peer, .peer_fd = context->peer_fd, .owner = inbox->enclosure.owner
	};
	char why[TEXT_MAX] = "";

	/* A release was held against the ledger by the main process; under whichever policy, it must go through. */
	if (inbox->kind == WIRE_PLAN_RELEASE)
		return true;
	if (plan_admit_policy(inbox->policy_digest, binder->policy, why) &&
	    recheck_claim(&binder->host, binder->policy, &inbox->plan, &enclosure, why))
		return true;
	result->outcome = WIRE_OUTCOME_REFUSED;
	result->kind = STEP_KIND_COUNT;
	text_format(result->text, sizeof(result->text), "%s", why);
	return false;
}

/* The FDs of a claim: the context, unless it was passed in, then groups and devices in the order of their steps. */
static void take_descriptors(struct plan_context *context, struct wire_result *result, struct descriptors *fds)
{
	struct plan_run *run = &context->run;

	if (!run->context_passed && context->context >= 0) {
		descriptors_add(fds, descriptor_take(&context->context));
		result->contexts = 1;
	}
	for (size_t i = 0; i < run->plan->count; i++) {
		const struct step *step = &run->plan->step[i];

		if (step->kind != STEP_GROUP)
			continue;
		descriptors_add(fds,
				descriptor_take(&plan_context_device(context, plan_device_of(run, step))->group_fd));
		result->groups++;
	}
	for (size_t i = 0; i < run->plan->count; i++) {
		const struct step *step = &run->plan->step[i];

		if (step->kind != STEP_OPEN && (step->kind != STEP_GROUP_DEVICE || step->number == 1))
			continue;
		descriptors_add(fds, descriptor_take(&plan_context_device(context, plan_device_of(run, step))->fd));
		result->devices++;
	}
}

/* Tells how the plan's devices are now: a driver_override changes without any event. */
static int tell_devices(const struct binder *binder, const struct plan_context *context)
{
	for (size_t i = 0; i < context->run.device_count; i++) {
		union wire_message message;
		int error;

		memset(&message.device, 0, sizeof(message.device));
		if (device_read(&binder->host, context->run.device[i].name, NULL, &message.device.device) < 0)
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
	struct plan_context context;
	int error;

	memset(result, 0, sizeof(*result));
	error = plan_context_begin(&context, &binder->host, &linux_calls, inbox);
	if (error < 0) {
		result->outcome = WIRE_OUTCOME_REFUSED;
		result->kind = STEP_KIND_COUNT;
		result->error = -error;
		text_format(result->text, sizeof(result->text), "cannot start the plan: %s", strerror(-error));
	} else if (may_run(binder, inbox, &context, result)) {
		/* The calls of this table wait themselves, and never answer "not yet". */
		while (!engine_advance(&context.run, result))
			;
	}
	if (result->outcome == WIRE_OUTCOME_DONE && inbox->kind == WIRE_PLAN_CLAIM)
		take_descriptors(&context, result, &fds);
	if (result->outcome == WIRE_OUTCOME_HELD && context.context >= 0) {
		/* The claim goes on for a while, and its mappings can be removed only with it. */
		descriptors_add(&fds, descriptor_take(&context.context));
		result->contexts = 1;
	}
	error = result->outcome == WIRE_OUTCOME_REFUSED ? 0 : tell_devices(binder, &context);
	/* Before the answer: a passed context's last close unpins all its memory, and belongs to the work. */
	plan_context_end(&context);
	wire_stamp(&message, WIRE_RESULT, id);
	return error == 0 ? wire_send(binder->socket, &message, fds.fd, fds.count) : error;
}

/* Lets a user open the nodes of a device, or no more, as the main process says. 0 or -errno of the socket. */
static int run_node_step(struct binder *binder, struct step step)
{
	struct wire_plan_inbox inbox = { .kind = WIRE_PLAN_RELEASE,
					 .plan = { .step = &step, .count = 1 },
					 .enclosure = { .context = -1, .peer_fd = -1 } };
	struct plan_context context;
	union wire_message message;
	int error = plan_context_begin(&context, &binder->host, &linux_calls, &inbox);

	if (error == 0) {
		struct plan_run *run = &context.run;
		const struct plan_device *device = step.device[0] ? plan_device_of(run, &step) : NULL;

		if (!device || linux_calls.is_there(run, device))
			error = (step.kind == STEP_GRANT ? linux_calls.grant : linux_calls.revoke)(run, device,
												   (uid_t)step.number);
	}
	/* Where there is no node, there is nothing to open. */
	if (error < 0 && error != -ENODEV)
		log_warning("the rights of user %u to nodes can't be set: %s", (unsigned)step.number,
			    context.run.why[0] ? context.run.why : strerror(-error));
	plan_context_end(&context);
	memset(&message.result, 0, sizeof(message.result));
	message.result.kind = STEP_KIND_COUNT;
	wire_stamp(&message, WIRE_RESULT, 0);
	return wire_send(binder->socket, &message, NULL, 0);
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
		if (message.header.type == WIRE_NODE_STEP && !inbox.begun) {
			error = run_node_step(binder, message.node_step.step);
			if (error < 0)
				break;
			continue;
		}
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
