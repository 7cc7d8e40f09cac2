#include "judge_devices.h"

#include "../util/text.h"

#include <string.h>

/* One blocker for a device that another claim has, or whose group another claim has. True if it was the device. */
static bool judge_owner(struct judgement *judgement, const struct asked *asked)
{
	const struct device *device = asked->device, *members[GROUP_MEMBERS_MAX];
	const struct claim_device *entry = NULL;
	const struct claim *owner;
	struct blocker *blocker;
	size_t count;
	bool own;

	owner = judgement_other_owner(judgement, device->name, &own, &entry);
	if (owner) {
		struct other_claim other = judgement_other_claim(judgement, owner);

		blocker = judgement_add_blocker(judgement, entry->lockout ? BLOCKER_OTHER_CONTEXT : BLOCKER_CLAIMED,
						asked);
		if (other.disclosed)
			text_format(blocker->claim, sizeof blocker->claim, "%s", owner->id);
		if (entry->lockout)
			say_locked_out(judgement_words(blocker), device->name, other);
		else
			say_claimed(judgement_words(blocker), device->name, other);
		return true;
	}
	count = topology_members(judgement->host->topology, device_claimed_group(device), members, GROUP_MEMBERS_MAX);
	for (size_t i = 0; i < count && i < GROUP_MEMBERS_MAX; i++) {
		owner = members[i] == device ? NULL : judgement_other_owner(judgement, members[i]->name, &own, &entry);
		if (!owner)
			continue;
		blocker = judgement_add_blocker(judgement, BLOCKER_OTHER_CONTEXT, asked);
		if (judgement_other_claim(judgement, owner).disclosed)
			text_format(blocker->claim, sizeof blocker->claim, "%s", owner->id);
		text_format(blocker->member, sizeof blocker->member, "%s", members[i]->name);
		say_other_context(judgement_words(blocker), device->name, members[i]->name,
				  judgement_other_claim(judgement, owner));
		break;
	}
	return false;
}

static void judge_use(struct judgement *judgement, const struct asked *asked)
{
	const char *device = asked->device->name;
	const struct use *use =
		coverage_blocking_use(judgement->host->uses, device, coverage_consents(asked->rule, device));
	struct blocker *blocker;
	const char *told;

	if (!use)
		return;
	told = use_told(use, judgement->by_operator);
	blocker = judgement_add_blocker(judgement, BLOCKER_IN_USE, asked);
	text_format(blocker->use, sizeof blocker->use, "%s", told);
	say_in_use(judgement_words(blocker), device, use, told, asked->rule);
}

/* What stands against a device under the rule that allows it. */
static void judge_under_rule(struct judgement *judgement, const struct asked *asked)
{
	const struct request *request = judgement->request;
	const struct device *device = asked->device;
	const struct rule *rule = asked->rule;
	int found = kernel_interface(judgement->host->kernel);
	enum vfio_interface interface = found < 0 ? INTERFACE_IOMMUFD : (enum vfio_interface)found;

	if (!device_is_delivered(device, request->mode, interface))
		say_not_delivered(judgement_words(judgement_add_blocker(judgement, BLOCKER_MODE, asked)), device,
				  request->mode, interface);
	else if (!(rule->modes & 1u << request->mode))
		say_mode(judgement_words(judgement_add_blocker(judgement, BLOCKER_MODE, asked)), device->name, rule,
			 request->mode);
	else if (request->claim && request->claim->mode != request->mode)
		say_claim_mode(judgement_words(judgement_add_blocker(judgement, BLOCKER_MODE, asked)), device->name,
			       request->claim, request->mode);
	if (coverage_lacks_reset(rule, device))
		say_no_reset(judgement_words(judgement_add_blocker(judgement, BLOCKER_NO_RESET, asked)), device->name,
			     rule);
	if (coverage_is_stuck_on_driver(device))
		say_not_restorable(judgement_words(judgement_add_blocker(judgement, BLOCKER_NOT_RESTORABLE, asked)),
				   device->name, NULL, device->driver);
	/* The client of another claim is a use of its device too, but the claim says more. */
	if (!judge_owner(judgement, asked))
		judge_use(judgement, asked);
}

void judge_device(struct judgement *judgement, struct asked *asked)
{
	const struct claim_device *entry = NULL;
	const struct device *device = asked->device;
	const struct never_entry *never;
	bool own;

	if (!device && asked->pool) {
		bool known = policy_pool(judgement->policy, asked->pool) != NULL;
		enum blocker_kind kind = known ? BLOCKER_UNKNOWN_DEVICE : BLOCKER_UNKNOWN_POOL;

		say_pool(judgement_words(judgement_add_blocker(judgement, kind, asked)), asked->pool, known);
		return;
	}
	if (!device) {
		say_unknown_device(judgement_words(judgement_add_blocker(judgement, BLOCKER_UNKNOWN_DEVICE, asked)),
				   asked->name);
		return;
	}
	if (device_is_bridge(device)) {
		say_bridge(judgement_words(judgement_add_blocker(judgement, BLOCKER_BRIDGE, asked)), device->name);
		return;
	}
	asked->rule =
		policy_rule_for(judgement->policy, judgement->host->topology, judgement->request->subject, device);
	if (device_lacks_group(device))
		say_no_group(judgement_words(judgement_add_blocker(judgement, BLOCKER_NO_IOMMU_GROUP, asked)),
			     device->name);
	else if (!device_is_isolated(device))
		say_noiommu_group(judgement_words(judgement_add_blocker(judgement, BLOCKER_NO_IOMMU_GROUP, asked)),
				  device);
	never = policy_never(judgement->policy, judgement->host->topology, device);
	if (never) {
		say_never(judgement_words(judgement_add_blocker(judgement, BLOCKER_NEVER, asked)), device->name, NULL,
			  never);
		return;
	}
	if (!asked->rule) {
		say_no_rule(judgement_words(judgement_add_blocker(judgement, BLOCKER_NO_RULE, asked)), device->name,
			    judgement->request->subject->uid);
		return;
	}
	if (asked->rule->effect == RULE_DENY) {
		say_denied(judgement_words(judgement_add_blocker(judgement, BLOCKER_DENIED, asked)), device->name,
			   asked->rule);
		return;
	}
	asked->eligible = true;
	judgement_other_owner(judgement, device->name, &own, &entry);
	asked->held = own && !entry->lockout;
	if (asked->held)
		say_already_claimed(judgement_words(judgement_add_blocker(judgement, BLOCKER_CLAIMED, asked)),
				    device->name, judgement->request->claim);
	else
		judge_under_rule(judgement, asked);
}

/* A limit while devices are counted against it. */
struct count {
	const struct rule *rule; /* that it is of; NULL: of all rules */
	size_t had, more;
	uint32_t limit;
};

/* Counts one more; true for the first that is too many, so that it is said once. */
static bool is_first_too_many(struct count *count)
{
	count->more++;
	if (count->limit == UINT32_MAX || count->had + count->more <= count->limit)
		return false;
	return count->more == 1 || count->had + count->more - 1 <= count->limit;
}

/* Starts to count against a rule's limits, with what was counted of it before another rule's devices came between. */
static void start_counts(const struct judgement *judgement, size_t index, struct count *own, struct count *total)
{
	const struct ledger *ledger = judgement->host->ledger;
	const struct rule *rule = judgement->asked[index].rule;

	*own = (struct count){ .rule = rule, .limit = rule->device_limit };
	*total = (struct count){ .rule = rule, .limit = rule->device_total_limit };
	if (ledger && own->limit != UINT32_MAX)
		own->had = ledger_devices_of(ledger, judgement->request->subject->uid, rule->name);
	if (ledger && total->limit != UINT32_MAX)
		total->had = ledger_devices_under(ledger, rule->name);
	for (size_t i = 0; i < index; i++)
		own->more +=
			judgement->asked[i].eligible && !judgement->asked[i].held && judgement->asked[i].rule == rule;
	total->more = own->more;
}

void judge_limits(struct judgement *judgement)
{
	const struct claim *claim = judgement->request->claim;
	struct count own = { .limit = UINT32_MAX }, total = { .limit = UINT32_MAX };
	struct count user = { .limit = judgement->policy->user_device_limit };
	size_t in_claim = 0;

	if (judgement->host->ledger && user.limit != UINT32_MAX)
		user.had = ledger_devices_of_user(judgement->host->ledger, judgement->request->subject->uid);
	for (size_t i = 0; claim && i < claim->device_count; i++)
		in_claim += !claim->device[i].lockout;
	for (size_t i = 0; i < judgement->count; i++) {
		const struct asked *asked = &judgement->asked[i];

		if (!asked->eligible || asked->held)
			continue;
		if (++in_claim == CLAIM_DEVICES_MAX + 1)
			say_claim_full(judgement_words(judgement_add_blocker(judgement, BLOCKER_LIMIT, asked)),
				       asked->name, claim);
		if (asked->rule != own.rule)
			start_counts(judgement, i, &own, &total);
		if (is_first_too_many(&own))
			say_limit(judgement_words(judgement_add_blocker(judgement, BLOCKER_LIMIT, asked)), asked->name,
				  own.rule, own.had);
		if (is_first_too_many(&total))
			say_total_limit(judgement_words(judgement_add_blocker(judgement, BLOCKER_LIMIT, asked)),
					asked->name, own.rule, total.had);
		if (is_first_too_many(&user))
			say_user_limit(judgement_words(judgement_add_blocker(judgement, BLOCKER_LIMIT, asked)),
				       asked->name, user.limit, user.had);
	}
}

void judge_one_rule(struct judgement *judgement)
{
	const struct claim *claim = judgement->request->claim;
	const struct asked *first = NULL;

	for (size_t i = 0; i < judgement->count; i++) {
		const struct asked *asked = &judgement->asked[i];
		const char *name;

		if (!asked->eligible || asked->held)
			continue;
		if (!first)
			first = asked;
		name = claim ? claim->rule : first->rule->name;
		if (strcmp(asked->rule->name, name) != 0)
			say_different_rules(judgement_words(
						    judgement_add_blocker(judgement, BLOCKER_DIFFERENT_RULES, asked)),
					    asked->name, asked->rule, name, claim ? NULL : first->name);
	}
}
