#include "given.h"

#include "../util/name_table.h"
#include "../util/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A plan that is being entered. */
struct entry {
	struct ledger *given;
	const struct topology *topology;
	const struct plan *plan;
	const struct plan_owner *owner;
	const struct rule *rule;
	struct claim *claim;
	struct given_change *change;
	char *why;
};

/* Writes why and returns false. */
__attribute__((format(printf, 2, 3))) static bool refuse(char *why, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	text_format_list(why, TEXT_MAX, format, arguments);
	va_end(arguments);
	return false;
}

static const struct rule *find_allow_rule(const struct policy *policy, const char *name)
{
	const struct rule *rule = policy_find_rule(policy, name);

	return rule && rule->effect == RULE_ALLOW ? rule : NULL;
}

static bool is_taken(const struct plan *plan, const char *device)
{
	for (size_t i = 0; i < plan->count; i++)
		if (step_takes_device(&plan->step[i]) && strcmp(plan->step[i].device, device) == 0)
			return true;
	return false;
}

static size_t count_taken(const struct plan *plan)
{
	size_t count = 0;

	for (size_t i = 0; i < plan->count; i++)
		count += step_takes_device(&plan->step[i]);
	return count;
}

/* The limits of rule and policy, over everything that was given. */
static bool limits_hold(const struct entry *entry, const struct policy *policy)
{
	size_t more = count_taken(entry->plan);
	uid_t uid = entry->owner->subject.uid;
	const struct rule *rule = entry->rule;

	if (ledger_devices_of(entry->given, uid, rule->name) + more > rule->device_limit)
		return refuse(entry->why, "the rule \"%s\" allows %u devices per user, and uid %u would have more",
			      rule->name, rule->device_limit, uid);
	if (ledger_devices_under(entry->given, rule->name) + more > rule->device_total_limit)
		return refuse(entry->why,
			      "the rule \"%s\" allows %u devices for all users together, and they would have more",
			      rule->name, rule->device_total_limit);
	if (ledger_devices_of_user(entry->given, uid) + more > policy->user_device_limit)
		return refuse(entry->why, "the policy allows %u devices per user, and uid %u would have more",
			      policy->user_device_limit, uid);
	return true;
}

static bool has_step(const struct plan *plan, enum step_kind kind, uint64_t number)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->step[i].kind == kind && plan->step[i].number == number)
			return true;
	return false;
}

/* True if the plan delivers into a context that is there already. */
static bool grows(const struct plan *plan)
{
	return has_step(plan, STEP_CONTEXT, 1) || has_step(plan, STEP_CONTAINER, 1);
}

/* A claim that grows stays its user's, in its own mode and context. */
static bool may_grow(const struct entry *entry, bool context_passed)
{
	const struct claim *claim = entry->claim;
	bool opens = has_step(entry->plan, STEP_CONTEXT, 0) || has_step(entry->plan, STEP_CONTAINER, 0);

	if (claim->uid != entry->owner->subject.uid)
		return refuse(entry->why, "the claim %s belongs to uid %u: uid %u cannot add to it", claim->id,
			      claim->uid, entry->owner->subject.uid);
	if (claim->mode != plan_mode(entry->plan))
		return refuse(entry->why, "the claim %s was delivered in the mode %s", claim->id,
			      delivery_mode_to_string(claim->mode));
	if (opens || (grows(entry->plan) && !context_passed))
		return refuse(entry->why, "the claim %s has a context: no device can be added in another one",
			      claim->id);
	return true;
}

/* A device that the client is to open by itself: only by a group that its claim has. */
static bool groups_are_had(const struct entry *entry)
{
	for (size_t i = 0; i < entry->plan->count; i++) {
		const struct step *step = &entry->plan->step[i];
		const struct device *device = topology_find(entry->topology, step->device);

		if (step->kind == STEP_GROUP_DEVICE && step->number == 1 &&
		    (!device || claim_devices_in_group(entry->claim, device->group, NULL) == 0))
			return refuse(entry->why, "the claim %s does not have the group of %s", entry->claim->id,
				      step->device);
	}
	return true;
}

/* True unless another claim has the device. */
static bool is_nobodys(const struct entry *entry, const char *device, const char *what)
{
	const struct claim *owner = ledger_owner(entry->given, device, NULL);

	if (!owner || owner == entry->claim)
		return true;
	return refuse(entry->why, "%s%s was delivered to the claim %s of uid %u, and has not been restored", device,
		      what, owner->id, owner->uid);
}

/*
 * The driver_override that the plan says the device had. It is not read from sysfs here: whoever reads it waits for the
 * device's lock. The binder holds what the plan says against the device before the first step.
 */
static void take_override(const struct plan *plan, struct device *device)
{
	device->driver_override[0] = '\0';
	for (size_t i = 0; i < plan->count; i++)
		if (plan->step[i].kind == STEP_OVERRIDE && strcmp(plan->step[i].device, device->name) == 0)
			memcpy(device->driver_override, plan->step[i].before, sizeof device->driver_override);
}

/* Enters one device of the plan's groups. */
static bool enter(struct entry *entry, const struct device *device)
{
	bool taken = is_taken(entry->plan, device->name);
	struct claim_device *had = claim_find_device(entry->claim, device->name);
	struct claim_device new = { .before = *device,
				    .lockout = !taken,
				    .reset = taken ? entry->rule->reset : RESET_SKIP,
				    .restore = entry->rule->restore };
	int error;

	take_override(entry->plan, &new.before);
	if (had && taken && !had->lockout)
		return refuse(entry->why, "the claim %s already has %s", entry->claim->id, device->name);
	if (had) {
		had->lockout = had->lockout && !taken;
		had->reset = taken ? entry->rule->reset : had->reset;
	} else {
		error = ledger_take(entry->given, entry->claim, &new);
		if (error < 0)
			return refuse(entry->why, "cannot enter %s in the executor's ledger: %s", device->name,
				      strerror(-error));
	}
	if (taken)
		memcpy(entry->change->device[entry->change->device_count++], device->name, DEVICE_NAME_MAX);
	return true;
}

/* The devices that the plan takes, in its order. */
static bool enter_taken(struct entry *entry)
{
	for (size_t i = 0; i < entry->plan->count; i++) {
		const struct step *step = &entry->plan->step[i];
		const struct device *device;

		if (!step_takes_device(step))
			continue;
		device = topology_find(entry->topology, step->device);
		if (!device)
			return refuse(entry->why, "the plan names %s, which does not exist on this host", step->device);
		if (entry->change->device_count == CLAIM_DEVICES_MAX)
			return refuse(entry->why, "the plan takes more than %d devices", CLAIM_DEVICES_MAX);
		if (!is_nobodys(entry, device->name, "") || !enter(entry, device))
			return false;
	}
	return entry->change->device_count > 0 || refuse(entry->why, "the plan takes no devices");
}

/* The other members of their groups, whether the plan moves them or not. */
static bool enter_lockouts(struct entry *entry)
{
	for (size_t i = 0; i < entry->change->device_count; i++) {
		const struct device *device = topology_find(entry->topology, entry->change->device[i]);
		const struct device *member[GROUP_MEMBERS_MAX];
		size_t count;

		count = topology_members(entry->topology, device_claimed_group(device), member, GROUP_MEMBERS_MAX);
		if (count > GROUP_MEMBERS_MAX)
			return refuse(entry->why, "the IOMMU group %d has more than %d members", device->group,
				      GROUP_MEMBERS_MAX);
		for (size_t k = 0; k < count; k++) {
			if (!is_nobodys(entry, member[k]->name, ", of the same group,"))
				return false;
			if (device_is_bridge(member[k]) || is_taken(entry->plan, member[k]->name) ||
			    claim_find_device(entry->claim, member[k]->name))
				continue;
			if (!enter(entry, member[k]))
				return false;
		}
	}
	return true;
}

static bool begin_claim(struct entry *entry, const struct kernel_features *kernel, bool context_passed)
{
	const struct subject *subject = &entry->owner->subject;
	int interface = kernel_interface(kernel), error;
	struct claim claim = {
		.uid = subject->uid,
		.gid = subject->gid,
		.pid = subject->pid,
		.mode = plan_mode(entry->plan),
		.interface = (enum vfio_interface)interface,
		.state = CLAIM_PREPARING,
	};

	if (interface < 0)
		return refuse(entry->why, "this kernel has neither iommufd nor VFIO groups");
	if (context_passed || grows(entry->plan))
		return refuse(entry->why, "a new claim gets a context of its own");
	memcpy(claim.id, entry->owner->claim, sizeof claim.id);
	text_format(claim.rule, sizeof claim.rule, "%s", entry->rule->name);
	text_format(claim.unit, sizeof claim.unit, "%s", subject->unit);
	error = ledger_add(entry->given, &claim, &entry->claim);
	if (error < 0)
		return refuse(entry->why, "cannot enter the claim in the executor's ledger: %s", strerror(-error));
	return true;
}

bool given_take(struct ledger *given, const struct policy *policy, const struct topology *topology,
		const struct kernel_features *kernel, const struct plan *plan, const struct plan_owner *owner,
		bool context_passed, struct given_change *out, char why[static TEXT_MAX])
{
	struct entry entry = { .given = given,
			       .topology = topology,
			       .plan = plan,
			       .owner = owner,
			       .change = out,
			       .rule = find_allow_rule(policy, owner->rule),
			       .claim = ledger_find(given, owner->claim),
			       .why = why };
	bool entered;

	*out = (struct given_change){ .effect = entry.claim ? GIVEN_ADDITION : GIVEN_CLAIM };
	memcpy(out->claim, owner->claim, sizeof out->claim);
	if (!entry.rule)
		return refuse(why, "there is no allow rule \"%s\"", owner->rule);
	if (!limits_hold(&entry, policy))
		return false;
	entered = entry.claim ? may_grow(&entry, context_passed) : begin_claim(&entry, kernel, context_passed);
	if (!entered)
		return false;
	entered = groups_are_had(&entry) && enter_taken(&entry) && enter_lockouts(&entry);
	if (!entered)
		given_settle(given, out, GIVEN_UNDONE);
	return entered;
}

/* True if the device of a step is gone, or is as the plan would leave it: then a crash came before it was given, or
 * after. */
static bool is_untouched(const struct topology *topology, const struct plan *plan, const struct step *step)
{
	const struct device *device = topology_find(topology, step->device);

	/* Nodes that nobody was given are closed, and some kinds of devices are never moved. */
	if (step->kind == STEP_REVOKE || (device && !device_is_moved(device)))
		return true;
	for (size_t i = 0; i < plan->count; i++)
		if (plan->step[i].kind == STEP_RESTORE && strcmp(plan->step[i].device, step->device) == 0)
			return !device || device->identity != plan->step[i].identity ||
			       strcmp(device->driver, plan->step[i].value) == 0;
	return false;
}

/* True if the step closes the container to a user who has no nodes by what was given: it takes nothing from anybody. */
static bool closes_unused_container(const struct ledger *given, const struct step *step)
{
	if (step->kind != STEP_REVOKE || step->device[0])
		return false;
	for (const struct claim *claim = ledger_first(given); claim; claim = ledger_next(claim))
		if (claim->mode == MODE_NODE && claim->uid == step->number)
			return false;
	return true;
}

/* Takes out of the plan what is about devices that the claim (NULL: an unknown one) was never given. */
static bool drop_unknown(const struct ledger *given, const struct topology *topology, struct plan *plan,
			 const struct claim *claim, const char *id, char *why)
{
	size_t kept = 0;

	for (size_t i = 0; i < plan->count; i++) {
		const struct step *step = &plan->step[i];
		const struct claim *owner = step->device[0] ? ledger_owner(given, step->device, NULL) : claim;

		if ((owner && owner != claim) || (step->device[0] && !owner && !is_untouched(topology, plan, step)))
			return refuse(
				why,
				"the executor did not deliver %s to the claim %s: it is left as it is. An operator "
				"must check what it is used for, and restore its driver",
				step->device, id);
	}
	for (size_t i = 0; i < plan->count; i++) {
		const struct step *step = &plan->step[i];
		bool known = step->device[0] ? ledger_owner(given, step->device, NULL) != NULL : claim != NULL;

		if (known || closes_unused_container(given, step))
			plan->step[kept++] = *step;
	}
	plan->count = kept;
	return true;
}

static int order(const void *a, const void *b)
{
	const struct step *one = a, *other = b;
	int result = strcmp(one->device, other->device);

	if (one->kind != other->kind)
		return one->kind < other->kind ? -1 : 1;
	if (result == 0 && one->number != other->number)
		return one->number < other->number ? -1 : 1;
	return result;
}

/*
 * A device that was on VFIO when it was claimed was not touched, so its driver_override is not known here: it can have
 * had none, or its driver's name.
 */
static void allow_override(const struct plan *plan, struct plan *made, const struct claim_device *device, size_t count)
{
	for (size_t i = 0; i < made->count; i++) {
		struct step *step = &made->step[i];
		bool was_on_vfio = false;

		for (size_t k = 0; k < count && step->kind == STEP_RESTORE; k++)
			was_on_vfio = was_on_vfio || (strcmp(device[k].before.name, step->device) == 0 &&
						      device_is_on_vfio(&device[k].before));
		if (!was_on_vfio)
			continue;
		for (size_t k = 0; k < plan->count; k++)
			if (plan->step[k].kind == STEP_RESTORE && strcmp(plan->step[k].device, step->device) == 0 &&
			    (!plan->step[k].before[0] || strcmp(plan->step[k].before, step->value) == 0))
				memcpy(step->before, plan->step[k].before, sizeof step->before);
	}
}

/* True if the plans have the same steps, with their kinds in the same order: proofs come before what they are for. */
static bool is_same_release(const struct plan *plan, struct plan *made)
{
	struct plan copy = { .step = NULL };
	bool same = plan->count == made->count;

	for (size_t i = 0; i < plan->count && same; i++)
		same = plan->step[i].kind == made->step[i].kind;
	for (size_t i = 0; i < plan->count && same; i++)
		same = plan_add(&copy, &plan->step[i]) == 0;
	if (same && plan->count > 0) {
		qsort(copy.step, copy.count, sizeof *copy.step, order);
		qsort(made->step, made->count, sizeof *made->step, order);
	}
	for (size_t i = 0; i < copy.count && same; i++)
		same = step_equals(&copy.step[i], &made->step[i]);
	plan_done(&copy);
	return same;
}

/* Whether the user needs the container for another claim is the broker's to know: alone it gives nobody a device. */
static bool revokes_container(const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->step[i].kind == STEP_REVOKE && !plan->step[i].device[0])
			return true;
	return false;
}

/* True if an operator has waived the kernel's proof, as the broker says: the unbind shows it then. */
static bool proves_by_unbind(const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (step_is_waived(&plan->step[i]))
			return true;
	return false;
}

/* True if the plan puts these devices back, and before that, where it says so, closes their nodes. */
static bool is_release_of(const struct plan *plan, const struct claim *claim, const struct claim_device *device,
			  size_t count, bool pin)
{
	const struct giving_back how = { .interface = claim->interface,
					 .pin = pin,
					 .by_unbind = !pin && proves_by_unbind(plan) };
	struct plan made = { .step = NULL };
	bool same = true;

	if (claim->mode == MODE_NODE && plan->count > 0 && plan->step[0].kind == STEP_REVOKE)
		same = plan_for_revocation(&made, device, count, claim->uid, revokes_container(plan)) == 0;
	if (same && plan_for_release(&made, device, count, &how) == 0) {
		allow_override(plan, &made, device, count);
		same = is_same_release(plan, &made);
	} else {
		same = false;
	}
	plan_done(&made);
	return same;
}

static bool is_revocation(const struct plan *plan, const struct claim *claim)
{
	struct plan made = { .step = NULL };
	bool same = claim->mode == MODE_NODE &&
		    plan_for_revocation(&made, claim->device, claim->device_count, claim->uid,
					revokes_container(plan)) == 0 &&
		    is_same_release(plan, &made);

	plan_done(&made);
	return same;
}

/* True if the plan gives this one device back; of a group that the claim keeps it stays with the claim, pinned. */
static bool is_removal_of(const struct plan *plan, const struct claim *claim, const char *device, bool context_passed)
{
	size_t count = 0;
	bool pin = false, same;
	struct claim_device *given = claim_copy_removal(claim, device, &count, &pin);

	if (!given)
		return false;
	/* One that was never added for good is a lockout still: taking it back changes nothing. */
	for (size_t i = 0; i < count && pin; i++)
		given[i].lockout = false;
	same = is_release_of(plan, claim, given, count, pin);
	/* Proofs of a group that goes on are made in the claim's own iommufd. */
	same = same && (!pin || claim->interface != INTERFACE_IOMMUFD || context_passed);
	free(given);
	return same;
}

/*
 * True if the plan puts back the whole claim. What has to be reset, and whether drivers come back, the rule says that
 * gave it: as it did then, or as it does now.
 */
static bool is_whole_release(const struct policy *policy, const struct plan *plan, const struct claim *claim)
{
	const struct rule *rule = find_allow_rule(policy, claim->rule);
	struct claim_device *now;
	bool same = is_release_of(plan, claim, claim->device, claim->device_count, false);

	if (same || !rule)
		return same;
	now = calloc(claim->device_count, sizeof *now);
	for (size_t i = 0; now && i < claim->device_count; i++) {
		now[i] = claim->device[i];
		now[i].reset = now[i].lockout ? now[i].reset : rule->reset;
		now[i].restore = rule->restore;
	}
	same = now && is_release_of(plan, claim, now, claim->device_count, false);
	free(now);
	return same;
}

/* What the plan does to the claim, or false. */
static bool find_effect(const struct policy *policy, const struct plan *plan, const struct claim *claim,
			bool context_passed, struct given_change *out)
{
	if (plan->count == 1 && plan->step[0].kind == STEP_UNMAP)
		return true;
	if (is_revocation(plan, claim))
		return true;
	if (is_whole_release(policy, plan, claim)) {
		out->effect = GIVEN_RELEASE;
		return true;
	}
	for (size_t i = 0; i < plan->count; i++) {
		const struct step *step = &plan->step[i];

		if (step->kind != STEP_PROVE_NO_HOLDER || !is_removal_of(plan, claim, step->device, context_passed))
			continue;
		out->effect = GIVEN_REMOVAL;
		memcpy(out->device[0], step->device, sizeof out->device[0]);
		out->device_count = 1;
		return true;
	}
	return false;
}

bool given_match_release(const struct ledger *given, const struct policy *policy, const struct topology *topology,
			 struct plan *plan, const struct plan_owner *owner, bool context_passed,
			 struct given_change *out, char why[static TEXT_MAX])
{
	const struct claim *claim = ledger_find(given, owner->claim);

	*out = (struct given_change){ .effect = GIVEN_NOTHING };
	memcpy(out->claim, owner->claim, sizeof out->claim);
	for (size_t i = 0; i < plan->count; i++)
		if (!step_is_sane(&plan->step[i]) || plan->step[i].kind < STEP_REVOKE ||
		    plan->step[i].kind > STEP_RESTORE)
			return refuse(why, "step %zu of the release does not belong in a release", i);
	if (!drop_unknown(given, topology, plan, claim, owner->claim, why))
		return false;
	/* Of a claim that was never given, at most a container is left to be closed. */
	if (!claim || plan->count == 0 || find_effect(policy, plan, claim, context_passed, out))
		return true;
	return refuse(why, "the release does not match the executor's ledger for the claim %s", owner->claim);
}

bool given_ends_claim(const struct given_change *change, enum given_end end)
{
	return (change->effect == GIVEN_CLAIM && end == GIVEN_UNDONE) ||
	       (change->effect == GIVEN_RELEASE && end == GIVEN_DONE);
}

bool given_settle(struct ledger *given, const struct given_change *change, enum given_end end)
{
	bool takes = change->effect == GIVEN_CLAIM || change->effect == GIVEN_ADDITION;
	struct claim *claim = ledger_find(given, change->claim);

	if (claim && change->effect == GIVEN_CLAIM && end == GIVEN_DONE)
		claim->state = CLAIM_HELD;
	/* What was taken is entered from the beginning, and what is given back until the end. */
	if (!claim || change->effect == GIVEN_NOTHING || end != (takes ? GIVEN_UNDONE : GIVEN_DONE))
		return false;
	if (given_ends_claim(change, end))
		ledger_remove(given, claim);
	else
		for (size_t i = 0; i < change->device_count; i++)
			ledger_shrink(given, claim, change->device[i]);
	return true;
}

bool given_may_be_of(const struct ledger *given, const char *claim, uid_t uid)
{
	const struct claim *known = claim[0] ? ledger_find(given, claim) : NULL;

	return !known || known->uid == uid;
}

bool given_by_rule(const struct ledger *given, const char (*device)[DEVICE_NAME_MAX], size_t count, const char *rule)
{
	const struct claim *claim = count > 0 ? ledger_owner(given, device[0], NULL) : NULL;

	for (size_t i = 1; i < count; i++)
		if (ledger_owner(given, device[i], NULL) != claim)
			return false;
	return claim && strcmp(claim->rule, rule) == 0;
}
