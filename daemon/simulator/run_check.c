#include "run_check.h"

#include "../../policy/util/text.h"
#include "../base/peer_subject.h"
#include "../plans/plan_admit.h"

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

static bool claim_is_allowed(const struct run *run, const struct policy *policy, char why[static TEXT_MAX])
{
	struct uses uses = { .count = 0 };
	const struct host_view host = {
		.topology = run->machine->topology,
		.uses = &uses,
		.kernel = &run->machine->kernel,
	};
	struct subject shown;
	/* The client is a real process, on a simulated host, too. */
	bool is_shown = peer_subject_read(run->peer_fd, run->peer, &shown);
	bool allowed = plan_admit_policy(run->policy_digest, policy, why) &&
		       plan_admit_devices(run->machine->topology, &run->plan, why);

	for (size_t i = 0; i < run->plan.count && allowed; i++) {
		const struct step *step = &run->plan.step[i];

		if (!*step->device || is_listed(run, i) || list_uses(run, step, &uses) == 0)
			continue;
		text_format(why, TEXT_MAX, "there was no memory to look at %s", step->device);
		allowed = false;
	}
	allowed = allowed && plan_admit_claim(policy, &host, &run->plan, &run->owner, is_shown ? &shown : NULL, why);
	uses_done(&uses);
	return allowed;
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
