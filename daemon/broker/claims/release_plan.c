#include "release_plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int release_plan_run(struct claim_runtime *runtime, enum runtime_run run, const struct plan *plan,
		     const struct run_events *events)
{
	struct registry *registry = runtime->registry;
	struct run_order order = {
		.kind = WIRE_PLAN_RELEASE,
		.plan = plan,
		.policy_digest = registry->policy->digest,
		.enclosure = { .context = runtime->context, .peer_fd = -1 },
	};
	int error;

	memcpy(order.enclosure.owner.claim, runtime->claim->id, sizeof(order.enclosure.owner.claim));
	runtime->run = run;
	error = host_run(registry->host, &order, events, runtime);
	if (error < 0)
		runtime->run = RUNTIME_IDLE;
	return error;
}

void release_plan_append_note(struct claim_runtime *runtime, const char *more)
{
	char *text = runtime->claim->note;

	snprintf(text + strlen(text), TEXT_MAX - strlen(text), "%s", more);
}

void release_plan_note_unmapped(struct claim_runtime *runtime)
{
	release_plan_append_note(runtime, "; its mappings were removed");
}

/*
 * Either an FD is where nobody can look (in a socket, in io_uring, in another PID namespace), or it is no FD at all
 * that the kernel refuses for. Nothing tells the two apart but the unbind.
 */
static void note_unknown_holder(struct claim_runtime *runtime, const struct wire_result *result)
{
	const char *name = strerrorname_np(result->error);

	snprintf(runtime->claim->note, TEXT_MAX,
		 "%s is still held by a process that could not be found, or the kernel refuses "
		 "it for another reason (%s)",
		 result->device, name ? name : "unknown");
	/* That is no way to give one device of a claim back that goes on. */
	if (runtime->lease_over)
		release_plan_append_note(
			runtime,
			". An operator can unbind it with 'ioasidctl revoke --unbind', which waits for any holder");
}

void release_plan_note(struct claim_runtime *runtime, const struct wire_result *result)
{
	char *text = runtime->claim->note;

	if (result->outcome == WIRE_OUTCOME_HELD && result->pid > 0)
		snprintf(text, TEXT_MAX, "%s is still held by %s[%d]", result->device, result->holder, result->pid);
	else if (result->outcome == WIRE_OUTCOME_HELD)
		note_unknown_holder(runtime, result);
	else if (result->text[0])
		snprintf(text, TEXT_MAX, "%s", result->text);
	else
		snprintf(text, TEXT_MAX, "%s: step %u failed: %s", result->device, result->step + 1,
			 strerror(result->error));
	if (result->outcome == WIRE_OUTCOME_HELD && runtime->unmapped)
		release_plan_note_unmapped(runtime);
}
