#include "lint.h"

#include "../util/glob.h"
#include "selector_index.h"
#include "reserve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Comparisons of texts for one policy: a large one takes some hundred thousand, and what is left out is a warning. */
enum { COMPARISONS_MAX = 4 * 1000 * 1000 };

struct checking {
	const struct policy *policy;
	struct diagnostics *diagnostics;
	struct policy_index *rules, *never;
	struct policy_index_entry *entries;
	size_t budget;
};

static void check_shadow(struct checking *checking, size_t number)
{
	const struct policy *policy = checking->policy;
	const struct rule *rule = &policy->rule[number], *earlier;
	size_t found = policy_index_find(checking->rules, &checking->entries[number], number, &checking->budget);

	if (found == SIZE_MAX)
		return;
	earlier = &policy->rule[found];
	diagnostics_add(checking->diagnostics, false, rule->file, rule->line, rule->column,
			"the rule \"%s\" never decides: the rule \"%s\" (%s:%u) before it covers all its cases",
			rule->name, earlier->name, earlier->file, earlier->line);
}

static const struct never_entry *find_never(struct checking *checking, const struct device_selector *device)
{
	const struct policy_index_entry wanted = { .device = device };
	size_t found = policy_index_find(checking->never, &wanted, SIZE_MAX, &checking->budget);

	return found == SIZE_MAX ? NULL : &checking->policy->never[found];
}

/* A rule's lockouts against its own devices, each other, and never. */
static void check_lockouts(struct checking *checking, const struct rule *rule)
{
	const struct text_list *names = &rule->device.list[SELECTOR_NAME], *named = &rule->lockout_named;
	const struct text_list *addresses = &rule->device.list[SELECTOR_ADDRESS];

	for (size_t i = 0; i < named->count; i++) {
		struct device_selector member = { .list[SELECTOR_NAME] = { .item = &named->item[i], .count = 1 } };
		const struct never_entry *never = find_never(checking, &member);

		/* The rule can be about one device only, and it is this one. */
		if ((names->count == 1 && strcmp(names->item[0], named->item[i]) == 0) ||
		    (addresses->count == 1 && strcmp(addresses->item[0], named->item[i]) == 0))
			diagnostics_add(
				checking->diagnostics, true, rule->file, rule->line, rule->column,
				"the rule \"%s\" names %s as its lockout, which is the device that it allows: name "
				"the other members of its group",
				rule->name, named->item[i]);
		if (never)
			diagnostics_add(checking->diagnostics, false, rule->file, rule->line, rule->column,
					"the rule \"%s\" allows locking out %s, but never lists it (%s:%u) and takes "
					"precedence",
					rule->name, named->item[i], never->file, never->line);
		for (size_t k = 0; k < i && checking->budget > 0; k++, checking->budget--)
			if (strcmp(named->item[k], named->item[i]) == 0) {
				diagnostics_add(checking->diagnostics, false, rule->file, rule->line, rule->column,
						"the rule \"%s\" names the lockout %s twice", rule->name,
						named->item[i]);
				break;
			}
	}
}

static void check_rule(struct checking *checking, size_t number)
{
	const struct rule *rule = &checking->policy->rule[number];
	const struct never_entry *never;

	check_shadow(checking, number);
	if (rule->effect != RULE_ALLOW)
		return;
	never = find_never(checking, &rule->device);
	if (never)
		diagnostics_add(checking->diagnostics, false, rule->file, rule->line, rule->column,
				"the rule \"%s\" has no effect: never denies what it allows (%s:%u)", rule->name,
				never->file, never->line);
	if (rule->device_limit != UINT32_MAX && rule->device_limit > checking->policy->user_device_limit)
		diagnostics_add(checking->diagnostics, false, rule->file, rule->line, rule->column,
				"the rule \"%s\" allows %u devices per user, but user_limits allows %u under all rules",
				rule->name, rule->device_limit, checking->policy->user_device_limit);
	check_lockouts(checking, rule);
}

int policy_check(const struct policy *policy, struct diagnostics *diagnostics)
{
	struct checking checking = { .policy = policy, .diagnostics = diagnostics, .budget = COMPARISONS_MAX };
	struct policy_index_entry *never = calloc(policy->never_count + 1, sizeof *never);
	int error = -ENOMEM;

	checking.entries = calloc(policy->rule_count + 1, sizeof *checking.entries);
	if (checking.entries && never) {
		for (size_t i = 0; i < policy->rule_count; i++)
			checking.entries[i] =
				(struct policy_index_entry){ &policy->rule[i].subject, &policy->rule[i].device };
		for (size_t i = 0; i < policy->never_count; i++)
			never[i].device = &policy->never[i].device;
		checking.rules = policy_index_new(policy, checking.entries, policy->rule_count);
		checking.never = policy_index_new(policy, never, policy->never_count);
	}
	if (checking.rules && checking.never) {
		for (size_t i = 0; i < policy->rule_count; i++)
			check_rule(&checking, i);
		error = reserve_check(policy, diagnostics);
	}
	policy_index_free(checking.rules);
	policy_index_free(checking.never);
	free(checking.entries);
	free(never);
	return error;
}
