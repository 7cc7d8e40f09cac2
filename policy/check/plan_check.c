#include "plan_check.h"

#include "../rules/coverage.h"
#include "../util/name_table.h"
#include "../util/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct check {
	const struct policy *policy;
	const struct host_view *host;
	const struct plan *plan;
	const struct plan_owner *owner;
	struct claim_device *device; /* those to be opened first, in that order; then those that are pinned */
	size_t taken, count;
	struct name_table names;  /* of all of them */
	struct delivery delivery; /* as the plan has it */
	char *why;
};

/* Writes why and returns false. */
__attribute__((format(printf, 2, 3))) static bool refuse(struct check *check, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	text_format_list(check->why, TEXT_MAX, format, arguments);
	va_end(arguments);
	return false;
}

/* Adds a device of the plan as the topology has it now. */
static bool add_device(struct check *check, const struct step *step, bool lockout)
{
	const struct device *device = topology_find(check->host->topology, step->device);

	if (!device)
		return refuse(check, "the plan names %s, which does not exist on this host", step->device);
	if (device->identity != step->identity)
		return refuse(check, "%s is not the device that was planned for", step->device);
	if (name_table_find(&check->names, step->device))
		return refuse(check, "the plan takes %s twice", step->device);
	check->device[check->count] = (struct claim_device){ .before = *device, .lockout = lockout };
	if (name_table_add(&check->names, device->name, &check->device[check->count]) < 0)
		return refuse(check, "out of memory");
	check->count++;
	return true;
}

/* What the steps say of how the devices are delivered. A plan of a mixture is none that the core makes. */
static void read_delivery(struct check *check, const struct step *step)
{
	struct delivery *delivery = &check->delivery;
	const struct device *device = topology_find(check->host->topology, step->device);

	if (step->kind == STEP_CONTEXT || step->kind == STEP_CONTAINER)
		delivery->grows = step->number == 1;
	if (step->kind == STEP_GROUP_DEVICE && step->number == 1 && device && delivery->group_count < CLAIM_DEVICES_MAX)
		delivery->group[delivery->group_count++] = device->group;
	if (step->kind == STEP_IOAS)
		delivery->ioas_id = (uint32_t)step->number;
	if (step->kind == STEP_MEMLOCK)
		delivery->memlock = step->number;
}

static bool grants_container(const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->step[i].kind == STEP_GRANT && plan->step[i].device[0] == '\0')
			return true;
	return false;
}

/* How the core would deliver on this host. */
static bool begin_delivery(struct check *check)
{
	static const struct kernel_features newest = { .iommufd = 1, .vfio_cdev = 1 };
	const struct kernel_features *kernel = check->host->kernel ? check->host->kernel : &newest;
	int interface = kernel_interface(kernel);

	if (interface < 0)
		return refuse(check, "this kernel has neither iommufd nor VFIO groups");
	/* Rights to nodes are for the subject and nobody else. */
	check->delivery = (struct delivery){ .mode = plan_mode(check->plan),
					     .interface = (enum vfio_interface)interface,
					     .groups = kernel->vfio_group,
					     .uid = check->owner->subject.uid };
	return true;
}

/* What the plan is about: its devices, and the numbers of the steps that belong to none. */
static bool gather(struct check *check)
{
	const struct plan *plan = check->plan;

	if (!begin_delivery(check))
		return false;
	for (size_t i = 0; i < plan->count; i++) {
		const struct step *step = &plan->step[i];

		if (!step_is_sane(step))
			return refuse(check, "step %zu of the plan is malformed", i);
		if (step_takes_device(step) && !add_device(check, step, false))
			return false;
		read_delivery(check, step);
	}
	if (check->delivery.mode == MODE_NODE && check->delivery.interface == INTERFACE_GROUP)
		check->delivery.grows = !grants_container(plan);
	check->taken = check->count;
	if (check->taken == 0)
		return refuse(check, "the plan takes no devices");
	if (check->taken > CLAIM_DEVICES_MAX)
		return refuse(check, "the plan takes %zu devices, and a claim can have at most %d", check->taken,
			      CLAIM_DEVICES_MAX);
	/* Every locked-out member that moves is pinned: plan_for_claim() sets its override in any case. */
	for (size_t i = 0; i < plan->count; i++) {
		const struct step *step = &plan->step[i];
		bool taken = name_table_find(&check->names, step->device) != NULL;

		if (step->kind == STEP_OVERRIDE && (!taken || strcmp(step->value, PINNED_OVERRIDE) == 0) &&
		    !add_device(check, step, true))
			return false;
	}
	return true;
}

/* Order, kinds, drivers and overrides: all are right if the core makes the same plan of the same devices. */
static bool is_made_by_the_core(struct check *check)
{
	struct plan made = { .step = NULL };
	char text[TEXT_MAX / 2];
	bool equal = true;

	int error = plan_for_claim(&made, check->device, check->count, &check->delivery);

	if (error == -EINVAL)
		return refuse(check, "this kernel can't deliver the mode %s",
			      delivery_mode_to_string(check->delivery.mode));
	if (error < 0)
		return refuse(check, "out of memory");
	for (size_t i = 0; equal && (i < made.count || i < check->plan->count); i++) {
		if (i >= check->plan->count)
			equal = refuse(check, "the plan ends before this step: %s",
				       step_describe(&made.step[i], text, sizeof text));
		else if (i >= made.count || !step_equals(&made.step[i], &check->plan->step[i]))
			equal = refuse(check, "step %zu of the plan is not what these devices need: %s", i,
				       step_describe(&check->plan->step[i], text, sizeof text));
	}
	plan_done(&made);
	return equal;
}

/* What holds for every device whatever the rule. */
static bool devices_can_be_taken(struct check *check)
{
	const struct kernel_features *kernel = check->host->kernel;

	if (kernel && kernel->noiommu)
		return refuse(check, "enable_unsafe_noiommu_mode is on in this kernel");
	for (size_t i = 0; i < check->count; i++) {
		const struct device *device = &check->device[i].before;
		const struct never_entry *never = policy_never(check->policy, check->host->topology, device);
		bool shares = !check->device[i].lockout;

		if (device_is_bridge(device))
			return refuse(check, "%s is a bridge", device->name);
		if (device_lacks_group(device))
			return refuse(check, "%s has no IOMMU group", device->name);
		if (!device_is_isolated(device))
			return refuse(check, "the IOMMU group of %s is one of VFIO's no-IOMMU mode", device->name);
		if (never)
			return refuse(check, "%s is in never (%s:%u)", device->name, never->file, never->line);
		if (coverage_is_stuck_on_driver(device) && !(check->device[i].lockout && device_is_on_vfio(device)))
			return refuse(check, "the driver %s of %s cannot be unbound and bound again", device->driver,
				      device->name);
		if (shares && !device_is_delivered(device, check->delivery.mode, check->delivery.interface))
			return refuse(check, "%s can't be delivered in the mode %s on this kernel", device->name,
				      delivery_mode_to_string(check->delivery.mode));
		for (size_t k = 0; !shares && k < check->taken; k++)
			shares = device_shares_group(&check->device[k].before, device);
		if (!shares)
			return refuse(check, "%s shares no group with a device that the plan takes", device->name);
	}
	return true;
}

/* True if a claim that grows can have this member already: it is left as it is then. */
static bool may_be_the_claims(const struct check *check, size_t rule, const struct device *member)
{
	if (!check->delivery.grows || name_table_find(&check->names, member->name))
		return false;
	if (device_is_on_vfio(member))
		return coverage_rule_reaches(check->policy, check->host->topology, rule, member);
	return !member->driver[0] && strcmp(member->driver_override, PINNED_OVERRIDE) == 0;
}

/* The members of a group that the plan does not take, moved or not: the group's new owner locks out all of them. */
static bool members_are_covered(struct check *check, size_t index, int32_t group)
{
	const struct rule *rule = &check->policy->rule[index];
	const struct device *members[GROUP_MEMBERS_MAX];
	size_t count = topology_members(check->host->topology, group, members, GROUP_MEMBERS_MAX);

	if (count > GROUP_MEMBERS_MAX)
		return refuse(check, "the IOMMU group %d has more than %d members", group, GROUP_MEMBERS_MAX);
	for (size_t i = 0; i < count; i++) {
		const struct use *use;
		bool taken = false;

		for (size_t k = 0; k < check->taken; k++)
			taken = taken || strcmp(check->device[k].before.name, members[i]->name) == 0;
		if (taken || device_is_bridge(members[i]) || may_be_the_claims(check, index, members[i]))
			continue;
		switch (coverage_of_member(check->policy, check->host->topology, rule, check->host->uses, members[i],
					   &use)) {
		case COVER_GIVEN:
			break;
		case COVER_NEVER:
			return refuse(check, "%s would be locked out and is in never", members[i]->name);
		case COVER_NOT_ALLOWED:
			return refuse(check, "the rule \"%s\" does not allow locking out %s", rule->name,
				      members[i]->name);
		case COVER_IN_USE:
			return refuse(check, "%s would be locked out and is in use: %s", members[i]->name, use->text);
		case COVER_NOT_RESTORABLE:
			return refuse(check, "the driver %s of %s cannot be unbound and bound again",
				      members[i]->driver, members[i]->name);
		}
	}
	return true;
}

/* True if this rule, which reaches all devices of the plan, gives them in this way and at this cost. */
static bool rule_covers(struct check *check, size_t index)
{
	const struct rule *rule = &check->policy->rule[index];

	if (!(rule->modes & 1u << check->delivery.mode))
		return refuse(check, "the rule \"%s\" does not allow the mode %s", rule->name,
			      delivery_mode_to_string(check->delivery.mode));
	if (check->host->kernel && check->host->kernel->unsafe_interrupts && !rule->accept_unsafe_interrupts)
		return refuse(check,
			      "allow_unsafe_interrupts is on in this kernel, which the rule \"%s\" does not accept",
			      rule->name);
	if (check->taken > rule->device_limit || check->taken > rule->device_total_limit)
		return refuse(check, "the rule \"%s\" allows %u devices, and the plan takes %zu", rule->name,
			      rule->device_limit < rule->device_total_limit ? rule->device_limit
									    : rule->device_total_limit,
			      check->taken);
	if (check->taken > check->policy->user_device_limit)
		return refuse(check, "the policy allows %u devices per user, and the plan takes %zu",
			      check->policy->user_device_limit, check->taken);
	if (check->delivery.memlock > rule->memlock)
		return refuse(check, "the rule \"%s\" grants less locked memory than the plan sets", rule->name);
	for (size_t i = 0; i < check->taken; i++) {
		const struct device *device = &check->device[i].before;
		const struct use *use =
			coverage_blocking_use(check->host->uses, device->name, coverage_consents(rule, device->name));
		bool again = false;

		if (coverage_lacks_reset(rule, device))
			return refuse(check, "the rule \"%s\" requires a reset, which %s does not support", rule->name,
				      device->name);
		if (use)
			return refuse(check, "%s is in use: %s", device->name, use->text);
		for (size_t k = 0; k < i; k++)
			again = again || device_shares_group(&check->device[k].before, device);
		if (!again && !members_are_covered(check, index, device_claimed_group(device)))
			return false;
	}
	return true;
}

/* The rule that the broker names, if it decides over all devices of the plan for the subject that it names; else NULL.
 */
static const struct rule *find_deciding_rule(struct check *check)
{
	const struct plan_owner *owner = check->owner;
	const struct rule *rule = policy_find_rule(check->policy, owner->rule);

	if (!rule || rule->effect != RULE_ALLOW) {
		refuse(check, "there is no allow rule \"%s\"", owner->rule);
		return NULL;
	}
	for (size_t i = 0; i < check->taken; i++) {
		const struct device *device = &check->device[i].before;

		if (policy_rule_for(check->policy, check->host->topology, &owner->subject, device) != rule) {
			refuse(check, "the rule \"%s\" does not grant %s to uid %u", owner->rule, device->name,
			       owner->subject.uid);
			return NULL;
		}
	}
	return rule;
}

static bool is_covered(struct check *check)
{
	const struct rule *rule;

	if (!gather(check) || !is_made_by_the_core(check) || !devices_can_be_taken(check))
		return false;
	rule = find_deciding_rule(check);
	return rule && rule_covers(check, (size_t)(rule - check->policy->rule));
}

bool plan_is_covered(const struct policy *policy, const struct host_view *host, const struct plan *plan,
		     const struct plan_owner *owner, char why[static TEXT_MAX])
{
	char reason[TEXT_MAX] = "";
	struct check check = { .policy = policy, .host = host, .plan = plan, .owner = owner, .why = reason };
	bool covered;

	if (plan->count == 0 || plan->count > PLAN_STEPS_MAX) {
		text_format(why, TEXT_MAX, "the plan has %zu steps", plan->count);
		return false;
	}
	check.device = calloc(plan->count, sizeof *check.device);
	covered = check.device ? is_covered(&check) : refuse(&check, "out of memory");
	if (!covered)
		text_format(why, TEXT_MAX, "%s", reason);
	free(check.device);
	name_table_done(&check.names);
	return covered;
}

bool plan_subject_is_shown(const struct policy *policy, const struct plan *plan, const struct plan_owner *owner,
			   const struct subject *shown, char why[static TEXT_MAX])
{
	const struct rule *rule = policy_find_rule(policy, owner->rule);
	const struct subject_selector *selector = rule ? &rule->subject : NULL;
	bool by_number = false;

	for (size_t i = 0; i < plan->count; i++)
		by_number = by_number || plan->step[i].kind == STEP_GRANT || plan->step[i].kind == STEP_MEMLOCK;
	if (!by_number || !selector || (selector->gid_count == 0 && selector->unit.count == 0))
		return true;
	if (shown && shown->uid == owner->subject.uid && subject_selector_matches(selector, shown))
		return true;
	text_format(why, TEXT_MAX,
		    "the rule \"%s\" selects by group or unit, and uid %u cannot be shown to match: its client must be "
		    "running while it claims",
		    owner->rule, owner->subject.uid);
	return false;
}
