#include "quota_report.h"

#include "../../../policy/util/name_table.h"

#include <stdlib.h>
#include <string.h>

/* What a user has by a rule. */
struct part {
	const char *rule;
	uid_t uid;
	uint64_t devices;
};

struct usage {
	const struct rule *rule;
	uint64_t all;  /* devices of everybody */
	uint64_t most; /* of the user who has the most */
};

static int by_rule_and_user(const void *left, const void *right)
{
	const struct part *a = left, *b = right;
	int order = strcmp(a->rule, b->rule);

	return order ? order : (a->uid > b->uid) - (a->uid < b->uid);
}

static int by_user(const void *left, const void *right)
{
	const struct part *a = left, *b = right;

	return (a->uid > b->uid) - (a->uid < b->uid);
}

/* What each claim has, as an array that the caller frees; NULL: there is none, or no memory. */
static struct part *parts_of(const struct ledger *ledger, size_t *count)
{
	struct part *part = calloc(ledger_count(ledger) + 1, sizeof(*part));

	*count = 0;
	for (const struct claim *claim = ledger_first(ledger); part && claim; claim = ledger_next(claim)) {
		part[*count] = (struct part){ .rule = claim->rule, .uid = claim->uid };
		for (size_t i = 0; i < claim->device_count; i++)
			part[*count].devices += !claim->device[i].lockout;
		(*count)++;
	}
	return part;
}

static uint64_t most_of_one_user(struct part *part, size_t count)
{
	uint64_t most = 0, sum = 0;

	if (count > 0)
		qsort(part, count, sizeof(*part), by_user);
	for (size_t i = 0; i < count; i++) {
		sum = i > 0 && part[i].uid == part[i - 1].uid ? sum + part[i].devices : part[i].devices;
		most = sum > most ? sum : most;
	}
	return most;
}

/* Adds up what is had by the rule that the parts from first on are of. */
static void add_up(const struct part *part, size_t count, size_t first, struct usage *use)
{
	uint64_t sum = 0;

	for (size_t i = first; i < count && strcmp(part[i].rule, part[first].rule) == 0; i++) {
		sum = i > first && part[i].uid == part[i - 1].uid ? sum + part[i].devices : part[i].devices;
		use->all += part[i].devices;
		use->most = sum > use->most ? sum : use->most;
	}
}

static bool is_limited(const struct rule *rule)
{
	return rule->effect == RULE_ALLOW &&
	       (rule->device_limit != UINT32_MAX || rule->device_total_limit != UINT32_MAX);
}

/* Which rules are told, with what is had by them. Returns how many; *left_out: how many are not told for their number.
 */
static size_t find_usages(const struct policy *policy, struct part *part, size_t count, struct usage *use,
			  uint64_t *left_out)
{
	struct name_table firsts = { .slot = NULL };
	size_t found = 0;

	if (count > 0)
		qsort(part, count, sizeof(*part), by_rule_and_user);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || strcmp(part[i].rule, part[i - 1].rule) != 0)
			name_table_add(&firsts, part[i].rule, &part[i]);
	*left_out = 0;
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct rule *rule = &policy->rule[i];
		const struct part *first = name_table_find(&firsts, rule->name);

		if (!first && !is_limited(rule))
			continue;
		if (found == QUOTA_RULES_MAX) {
			(*left_out)++;
			continue;
		}
		use[found] = (struct usage){ .rule = rule };
		if (first)
			add_up(part, count, (size_t)(first - part), &use[found]);
		found++;
	}
	name_table_done(&firsts);
	return found;
}

static void report_rules(struct openmetrics *out, const struct registry *registry, struct part *part, size_t count)
{
	struct usage *use = calloc(QUOTA_RULES_MAX, sizeof(*use));
	uint64_t left_out = 0;
	size_t found = use ? find_usages(registry->policy, part, count, use, &left_out) : 0;

	bool limited = false;

	for (size_t i = 0; i < found; i++)
		limited = limited || is_limited(use[i].rule);
	if (found > 0)
		openmetrics_family(
			out, METRIC_GAUGE, "ioasid_rule_devices", NULL,
			"Devices in use under a rule: by all users together, and by the user with the most.");
	for (size_t i = 0; i < found; i++) {
		openmetrics_count2(out, "rule", use[i].rule->name, "of", "all", use[i].all);
		openmetrics_count2(out, "rule", use[i].rule->name, "of", "one-user", use[i].most);
	}
	if (limited)
		openmetrics_family(out, METRIC_GAUGE, "ioasid_rule_devices_limit", NULL,
				   "Device limit of the rule, if it has one.");
	for (size_t i = 0; i < found; i++) {
		if (use[i].rule->device_total_limit != UINT32_MAX)
			openmetrics_count2(out, "rule", use[i].rule->name, "of", "all",
					   use[i].rule->device_total_limit);
		if (use[i].rule->device_limit != UINT32_MAX)
			openmetrics_count2(out, "rule", use[i].rule->name, "of", "one-user", use[i].rule->device_limit);
	}
	openmetrics_family(out, METRIC_GAUGE, "ioasid_rules_left_out", NULL, "Rules left out of these metrics.");
	openmetrics_count(out, NULL, NULL, left_out);
	free(use);
}

void quota_report(struct openmetrics *out, const struct registry *registry, bool operator)
{
	size_t count;
	struct part *part = parts_of(registry->ledger, &count);

	openmetrics_family(out, METRIC_GAUGE, "ioasid_user_devices", NULL,
			   "Devices of the user with the most, under all rules together.");
	openmetrics_count(out, NULL, NULL, most_of_one_user(part, count));
	if (registry->policy->user_device_limit != UINT32_MAX) {
		openmetrics_family(out, METRIC_GAUGE, "ioasid_user_devices_limit", NULL, "Device limit per user.");
		openmetrics_count(out, NULL, NULL, registry->policy->user_device_limit);
	}
	if (operator)
		report_rules(out, registry, part, count);
	free(part);
}
