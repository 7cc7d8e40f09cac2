#include "run_check.h"

#include "../../policy/check/plan_check.h"
#include "../../policy/util/text.h"
#include "../base/peer_subject.h"

#include <string.h>

/* Names and identities as planned, drivers and overrides as they were when the plan was made. */
static bool is_as_planned(const struct run *run, const struct step *step, char why[static TEXT_MAX])
{
	const struct simulated_device *device = machine_find(run->machine, step->device);

	if (!device) {
		text_format(why, TEXT_MAX, "there is no device %s", step->device);
		return false;
	}
	if (device->now.identity != step->identity) {
		text_format(why, TEXT_MAX, "%s is another device than when the plan was made", step->device);
		return false;
	}
	if (step->kind == STEP_OVERRIDE && strcmp(device->now.driver_override, step->before) != 0) {
		text_format(why, TEXT_MAX, "the driver_override of %s is not what it was when the plan was made",
			    step->device);
		return false;
	}
	if (step->kind == STEP_UNBIND && strcmp(device->now.driver, step->before) != 0) {
		text_format(why, TEXT_MAX, "the driver of %s is not what it was when the plan was made", step->device);
		return false;
	}
	return true;
}

/* Appends the uses of a device and of all members of its group. 0, -ENOMEM. */
static int list_uses(const struct run *run, const struct step *step, struct uses *uses)
{
	const struct simulated_device *device = machine_find(run->machine, step->device);
	const struct device *member[GROUP_MEMBERS_MAX];
	size_t count;

	if (device->now.group < 0)
		return machine_list_uses(device, uses);
	count = topology_members(run->machine->topology, device->now.group, member, GROUP_MEMBERS_MAX);
	for (size_t i = 0; i < count && i < GROUP_MEMBERS_MAX; i++) {
		int error = machine_list_uses(machine_find(run->machine, member[i]->name), uses);

		if (error < 0)
			return error;
	}
	return 0;
}

/* True if an earlier step was for a device of the same group: its uses are listed already. */
static bool is_listed(const struct run *run, size_t index)
{
	const struct simulated_device *device = machine_find(run->machine, run->plan.step[index].device);

	for (size_t i = 0; i < index; i++) {
		const struct simulated_device *other = machine_find(run->machine, run->plan.step[i].device);

		if (other == device || (other && other->now.group >= 0 && other->now.group == device->now.group))
			return true;
	}
	return false;
}

bool run_is_of_policy(const struct run *run, const struct policy *policy, char why[static TEXT_MAX])
{
	if (run->policy_digest == policy->digest)
		return true;
	text_format(why, TEXT_MAX, "broker and executor hold different policies: have them read it again");
	return false;
}

/* The client is a real process, on a simulated host, too. */
static bool subject_is_shown(const struct run *run, const struct policy *policy, char why[static TEXT_MAX])
{
	struct subject shown;
	bool is_shown = peer_subject_read(run->peer_fd, run->peer, &shown);

	return plan_subject_is_shown(policy, &run->plan, &run->owner, is_shown ? &shown : NULL, why);
}

static bool claim_is_allowed(const struct run *run, const struct policy *policy, char why[static TEXT_MAX])
{
	struct uses uses = { .count = 0 };
	const struct host_view host = {
		.topology = run->machine->topology,
		.uses = &uses,
		.kernel = &run->machine->kernel,
	};
	bool allowed = true;

	if (!run_is_of_policy(run, policy, why))
		return false;
	for (size_t i = 0; i < run->plan.count && allowed; i++) {
		const struct step *step = &run->plan.step[i];

		if (!*step->device)
			continue;
		allowed = is_as_planned(run, step, why);
		if (!allowed || is_listed(run, i) || list_uses(run, step, &uses) == 0)
			continue;
		text_format(why, TEXT_MAX, "there was no memory to look at %s", step->device);
		allowed = false;
	}
	allowed = allowed && plan_is_covered(policy, &host, &run->plan, &run->owner, why);
	uses_done(&uses);
	return allowed && subject_is_shown(run, policy, why);
}

bool run_is_allowed(const struct run *run, char why[static TEXT_MAX])
{
	/* It was held against what was given when it came; under whichever policy, it must go through. */
	if (run->kind == WIRE_PLAN_RELEASE)
		return true;
	if (run->policy)
		return claim_is_allowed(run, run->policy->policy, why);
	text_format(why, TEXT_MAX, "the broker that asked is gone");
	return false;
}
