#include "judge_devices.h"

#include "../util/text.h"

#include <string.h>

/* One blocker for a device that another claim has, or whose group another claim has. True if it was the device. */
static bool judge_owner(struct deciding *deciding, const struct asked *asked)
{
	const struct device *device = asked->device, *members[GROUP_MEMBERS_MAX];
	const struct claim_device *entry = NULL;
	const struct claim *owner;
	struct blocker *blocker;
	size_t count;
	bool own;

	owner = deciding_other_owner(deciding, device->name, &own, &entry);
	if (owner) {
		struct other_claim other = deciding_other_claim(deciding, owner);

		blocker = deciding_add_blocker(deciding, entry->lockout ? BLOCKER_OTHER_CONTEXT : BLOCKER_CLAIMED, asked);
		if (other.disclosed)
			text_format(blocker->claim, sizeof blocker->claim, "%s", owner->id);
		if (entry->lockout)
			say_locked_out(deciding_words(blocker), device->name, other);
		else
			say_claimed(deciding_words(blocker), device->name, other);
		return true;
	}
	count = topology_members(deciding->host->topology, device->group, members, GROUP_MEMBERS_MAX);
	for (size_t i = 0; i < count && i < GROUP_MEMBERS_MAX; i++) {
		owner = members[i] == device ? NULL : deciding_other_owner(deciding, members[i]->name, &own, &entry);
		if (!owner)
			continue;
		blocker = deciding_add_blocker(deciding, BLOCKER_OTHER_CONTEXT, asked);
		if (deciding_other_claim(deciding, owner).disclosed)
			text_format(blocker->claim, sizeof blocker->claim, "%s", owner->id);
		text_format(blocker->member, sizeof blocker->member, "%s", members[i]->name);
		say_other_context(deciding_words(blocker), device->name, members[i]->name, deciding_other_claim(deciding, owner));
		break;
	}
	return false;
}

static void judge_use(struct deciding *deciding, const struct asked *asked)
{
	const char *device = asked->device->name;
	const struct use *use =
		coverage_blocking_use(deciding->host->uses, device, coverage_consents(asked->rule, device));
	struct blocker *blocker;
	const char *told;

	if (!use)
		return;
	told = use_told(use, deciding->by_operator);
	blocker = deciding_add_blocker(deciding, BLOCKER_IN_USE, asked);
	text_format(blocker->use, sizeof blocker->use, "%s", told);
	say_in_use(deciding_words(blocker), device, use, told, asked->rule);
}

/* What stands against a device under the rule that allows it. */
static void judge_under_rule(struct deciding *deciding, const struct asked *asked)
{
	const struct request *request = deciding->request;
	const struct device *device = asked->device;
	const struct rule *rule = asked->rule;

	if (!(rule->modes & 1u << request->mode))
		say_mode(deciding_words(deciding_add_blocker(deciding, BLOCKER_MODE, asked)), device->name, rule, request->mode);
	else if (request->claim && request->claim->mode != request->mode)
		say_claim_mode(deciding_words(deciding_add_blocker(deciding, BLOCKER_MODE, asked)), device->name, request->claim,
			       request->mode);
	if (coverage_lacks_reset(rule, device))
		say_no_reset(deciding_words(deciding_add_blocker(deciding, BLOCKER_NO_RESET, asked)), device->name, rule);
	if (coverage_is_stuck_on_driver(device))
		say_not_restorable(deciding_words(deciding_add_blocker(deciding, BLOCKER_NOT_RESTORABLE, asked)), device->name, NULL,
				   device->driver);
	/* The client of another claim is a use of its device too, but the claim says more. */
	if (!judge_owner(deciding, asked))
		judge_use(deciding, asked);
}

void judge_device(struct deciding *deciding, struct asked *asked)
{
	const struct claim_device *entry = NULL;
	const struct device *device = asked->device;
	const struct never_entry *never;
	bool own;

	if (!device && asked->pool) {
		bool known = policy_pool(deciding->policy, asked->pool) != NULL;
		enum blocker_kind kind = known ? BLOCKER_UNKNOWN_DEVICE : BLOCKER_UNKNOWN_POOL;

		say_pool(deciding_words(deciding_add_blocker(deciding, kind, asked)), asked->pool, known);
		return;
	}
	if (!device) {
		say_unknown_device(deciding_words(deciding_add_blocker(deciding, BLOCKER_UNKNOWN_DEVICE, asked)), asked->name);
		return;
	}
	if (device->bridge) {
		say_bridge(deciding_words(deciding_add_blocker(deciding, BLOCKER_BRIDGE, asked)), device->name);
		return;
	}
	asked->rule = policy_rule_for(deciding->policy, deciding->host->topology, deciding->request->subject,
				      device);
	if (device->group < 0)
		say_no_group(deciding_words(deciding_add_blocker(deciding, BLOCKER_NO_IOMMU_GROUP, asked)), device->name);
	else if (device->no_iommu)
		say_noiommu_group(deciding_words(deciding_add_blocker(deciding, BLOCKER_NO_IOMMU_GROUP, asked)), device);
	never = policy_never(deciding->policy, deciding->host->topology, device);
	if (never) {
		say_never(deciding_words(deciding_add_blocker(deciding, BLOCKER_NEVER, asked)), device->name, NULL, never);
		return;
	}
	if (!asked->rule) {
		say_no_rule(deciding_words(deciding_add_blocker(deciding, BLOCKER_NO_RULE, asked)), device->name,
			    deciding->request->subject->uid);
		return;
	}
	if (asked->rule->effect == RULE_DENY) {
		say_denied(deciding_words(deciding_add_blocker(deciding, BLOCKER_DENIED, asked)), device->name, asked->rule);
		return;
	}
	asked->eligible = true;
	deciding_other_owner(deciding, device->name, &own, &entry);
	asked->held = own && !entry->lockout;
	if (asked->held)
		say_already_claimed(deciding_words(deciding_add_blocker(deciding, BLOCKER_CLAIMED, asked)), device->name,
				    deciding->request->claim);
	else
		judge_under_rule(deciding, asked);
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
static void start_counts(const struct deciding *deciding, size_t index, struct count *own, struct count *total)
{
	const struct ledger *ledger = deciding->host->ledger;
	const struct rule *rule = deciding->asked[index].rule;

	*own = (struct count){ .rule = rule, .limit = rule->device_limit };
	*total = (struct count){ .rule = rule, .limit = rule->device_total_limit };
	if (ledger && own->limit != UINT32_MAX)
		own->had = ledger_devices_of(ledger, deciding->request->subject->uid, rule->name);
	if (ledger && total->limit != UINT32_MAX)
		total->had = ledger_devices_under(ledger, rule->name);
	for (size_t i = 0; i < index; i++)
		own->more += deciding->asked[i].eligible && !deciding->asked[i].held && deciding->asked[i].rule == rule;
	total->more = own->more;
}

void judge_limits(struct deciding *deciding)
{
	const struct claim *claim = deciding->request->claim;
	struct count own = { .limit = UINT32_MAX }, total = { .limit = UINT32_MAX };
	struct count user = { .limit = deciding->policy->user_device_limit };
	size_t in_claim = 0;

	if (deciding->host->ledger && user.limit != UINT32_MAX)
		user.had = ledger_devices_of_user(deciding->host->ledger, deciding->request->subject->uid);
	for (size_t i = 0; claim && i < claim->device_count; i++)
		in_claim += !claim->device[i].lockout;
	for (size_t i = 0; i < deciding->count; i++) {
		const struct asked *asked = &deciding->asked[i];

		if (!asked->eligible || asked->held)
			continue;
		if (++in_claim == CLAIM_DEVICES_MAX + 1)
			say_claim_full(deciding_words(deciding_add_blocker(deciding, BLOCKER_LIMIT, asked)),
				       asked->name, claim);
		if (asked->rule != own.rule)
			start_counts(deciding, i, &own, &total);
		if (is_first_too_many(&own))
			say_limit(deciding_words(deciding_add_blocker(deciding, BLOCKER_LIMIT, asked)), asked->name,
				  own.rule, own.had);
		if (is_first_too_many(&total))
			say_total_limit(deciding_words(deciding_add_blocker(deciding, BLOCKER_LIMIT, asked)),
					asked->name, own.rule, total.had);
		if (is_first_too_many(&user))
			say_user_limit(deciding_words(deciding_add_blocker(deciding, BLOCKER_LIMIT, asked)),
				       asked->name, user.limit, user.had);
	}
}

void judge_one_rule(struct deciding *deciding)
{
	const struct claim *claim = deciding->request->claim;
	const struct asked *first = NULL;

	for (size_t i = 0; i < deciding->count; i++) {
		const struct asked *asked = &deciding->asked[i];
		const char *name;

		if (!asked->eligible || asked->held)
			continue;
		if (!first)
			first = asked;
		name = claim ? claim->rule : first->rule->name;
		if (strcmp(asked->rule->name, name) != 0)
			say_different_rules(deciding_words(deciding_add_blocker(deciding, BLOCKER_DIFFERENT_RULES, asked)),
					    asked->name, asked->rule, name, claim ? NULL : first->name);
	}
}
