/*
 * Which devices and subjects a policy's selectors mean. One walk over all rules compares one device, whose texts are
 * written once.
 */
#include "policy.h"

#include "../util/glob.h"
#include "../util/text.h"

#include <stdlib.h>
#include <string.h>

/* PCI has no more buses below each other, and a chain that runs in a circle ends. */
enum { ANCESTORS_MAX = 256 };

/* A device with the texts that patterns are compared with, made once for a walk over all rules. */
struct candidate {
	const struct topology *topology;
	const struct device *device;
	bool any_driver;                       /* whatever driver is bound now, it had another */
	const char *text[SELECTOR_LIST_COUNT]; /* NULL for parents, pools, and what is unknown */
	char id[10], subsystem[10];            /* "1234:11e8" */
	char class_code[7];                    /* "020000" */
	char numa_node[12];
	int ancestor_count; /* -1: not looked up yet */
	const char *ancestor[ANCESTORS_MAX];
};

static void write_hex(char *out, unsigned digits, uint32_t value)
{
	static const char digit[] = "0123456789abcdef";

	for (unsigned i = 0; i < digits; i++)
		out[i] = digit[value >> 4 * (digits - 1 - i) & 15];
	out[digits] = '\0';
}

static void write_id(char out[static 10], uint16_t vendor, uint16_t device)
{
	write_hex(out, 4, vendor);
	write_hex(out + 5, 4, device);
	out[4] = ':';
}

/* In place: the array of ancestors is large, and mostly not needed. */
static void make_candidate(struct candidate *out, const struct topology *topology, const struct device *device)
{
	const struct pci_function *function = device_pci(device);
	bool pci = device_is_pci(device);

	out->topology = topology;
	out->device = device;
	out->any_driver = false;
	out->ancestor_count = -1;
	write_id(out->id, function->vendor, function->device);
	write_id(out->subsystem, function->subsystem_vendor, function->subsystem_device);
	write_hex(out->class_code, 6, function->class_code);
	out->text[SELECTOR_NAME] = device->name;
	out->text[SELECTOR_ADDRESS] = pci ? device->name : NULL;
	out->text[SELECTOR_ID] = pci ? out->id : NULL;
	out->text[SELECTOR_SUBSYSTEM] = pci ? out->subsystem : NULL;
	out->text[SELECTOR_CLASS] = pci ? out->class_code : NULL;
	out->text[SELECTOR_DRIVER] = device->driver;
	out->text[SELECTOR_KIND] = device_kind_to_string((enum device_kind)device->kind);
	out->text[SELECTOR_NUMA_NODE] = NULL;
	out->text[SELECTOR_PARENT] = NULL;
	out->text[SELECTOR_POOL] = NULL;
	if (device->numa_node >= 0)
		out->text[SELECTOR_NUMA_NODE] =
			text_format(out->numa_node, sizeof out->numa_node, "%d", device->numa_node);
}

static bool pattern_matches(const char *pattern, const char *text)
{
	return glob_has_wildcard(pattern) ? glob_matches(pattern, text) : strcmp(pattern, text) == 0;
}

static bool list_matches(const struct text_list *list, const char *text)
{
	for (size_t i = 0; text && i < list->count; i++)
		if (pattern_matches(list->item[i], text))
			return true;
	return false;
}

static bool class_matches(const struct text_list *list, const char *class_code)
{
	for (size_t i = 0; class_code && i < list->count; i++) {
		const char *pattern = list->item[i];

		if (glob_has_wildcard(pattern) ? glob_matches(pattern, class_code)
					       : strncmp(pattern, class_code, strlen(pattern)) == 0)
			return true;
	}
	return false;
}

static void find_ancestors(struct candidate *candidate)
{
	const char *name = candidate->device->parent;

	candidate->ancestor_count = 0;
	while (name[0] && candidate->ancestor_count < ANCESTORS_MAX) {
		const struct device *bridge = candidate->topology ? topology_find(candidate->topology, name) : NULL;

		candidate->ancestor[candidate->ancestor_count++] = name;
		name = bridge ? bridge->parent : "";
	}
}

static bool parent_matches(const struct text_list *list, struct candidate *candidate)
{
	if (candidate->ancestor_count < 0)
		find_ancestors(candidate);
	for (int i = 0; i < candidate->ancestor_count; i++)
		if (list_matches(list, candidate->ancestor[i]))
			return true;
	return false;
}

static bool selector_matches(const struct policy *policy, const struct device_selector *selector,
			     struct candidate *candidate);

static bool pools_match(const struct policy *policy, const struct text_list *names, struct candidate *candidate)
{
	for (size_t i = 0; i < names->count; i++) {
		const struct pool *pool = policy_pool(policy, names->item[i]);

		/* No selector of a pool names a pool. */
		for (size_t k = 0; pool && k < pool->selector_count; k++)
			if (selector_matches(policy, &pool->selector[k], candidate))
				return true;
	}
	return false;
}

static bool selector_matches(const struct policy *policy, const struct device_selector *selector,
			     struct candidate *candidate)
{
	bool any = false;

	for (enum selector_list i = 0; i < SELECTOR_LIST_COUNT; i++) {
		const struct text_list *list = &selector->list[i];
		bool matches;

		if (list->count == 0)
			continue;
		any = true;
		if (i == SELECTOR_CLASS)
			matches = class_matches(list, candidate->text[SELECTOR_CLASS]);
		else if (i == SELECTOR_PARENT)
			matches = parent_matches(list, candidate);
		else if (i == SELECTOR_POOL)
			matches = pools_match(policy, list, candidate);
		else if (i == SELECTOR_DRIVER && candidate->any_driver)
			matches = true;
		else
			matches = list_matches(list, candidate->text[i]);
		if (!matches)
			return false;
	}
	return any;
}

bool device_selector_matches(const struct policy *policy, const struct topology *topology,
			     const struct device_selector *selector, const struct device *device)
{
	struct candidate candidate;

	make_candidate(&candidate, topology, device);
	return selector_matches(policy, selector, &candidate);
}

bool device_selector_matched_before(const struct policy *policy, const struct topology *topology,
				    const struct device_selector *selector, const struct device *device)
{
	struct candidate candidate;

	make_candidate(&candidate, topology, device);
	candidate.any_driver = device_is_on_vfio(device);
	return selector_matches(policy, selector, &candidate);
}

bool policy_pool_has(const struct policy *policy, const struct topology *topology, const struct pool *pool,
		     const struct device *device)
{
	struct candidate candidate;

	make_candidate(&candidate, topology, device);
	for (size_t i = 0; i < pool->selector_count; i++)
		if (selector_matches(policy, &pool->selector[i], &candidate))
			return true;
	return false;
}

bool subject_selector_matches(const struct subject_selector *selector, const struct subject *subject)
{
	bool matches = selector->uid_count == 0;

	if (selector->any)
		return true;
	if (selector->uid_count + selector->gid_count + selector->unit.count == 0)
		return false;
	for (size_t i = 0; !matches && i < selector->uid_count; i++)
		matches = selector->uid[i] == subject->uid;
	if (!matches)
		return false;
	matches = selector->gid_count == 0;
	for (size_t i = 0; !matches && i < selector->gid_count; i++)
		matches = subject_has_group(subject, selector->gid[i]);
	if (!matches)
		return false;
	/* An unknown unit is no unit: even "*" does not match it. */
	return selector->unit.count == 0 || (subject->unit[0] && list_matches(&selector->unit, subject->unit));
}

const struct never_entry *policy_never(const struct policy *policy, const struct topology *topology,
				       const struct device *device)
{
	struct candidate candidate;

	if (policy->never_count == 0)
		return NULL;
	make_candidate(&candidate, topology, device);
	for (size_t i = 0; i < policy->never_count; i++)
		if (selector_matches(policy, &policy->never[i].device, &candidate))
			return &policy->never[i];
	return NULL;
}

const struct rule *policy_find_rule(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->rule_count; i++)
		if (strcmp(policy->rule[i].name, name) == 0)
			return &policy->rule[i];
	return NULL;
}

const struct rule *policy_rule_for(const struct policy *policy, const struct topology *topology,
				   const struct subject *subject, const struct device *device)
{
	struct candidate candidate;

	make_candidate(&candidate, topology, device);
	for (size_t i = 0; i < policy->rule_count; i++)
		if (subject_selector_matches(&policy->rule[i].subject, subject) &&
		    selector_matches(policy, &policy->rule[i].device, &candidate))
			return &policy->rule[i];
	return NULL;
}

bool policy_is_operator(const struct policy *policy, const struct subject *subject)
{
	return subject->uid == 0 || subject_selector_matches(&policy->operators, subject);
}

bool text_list_names(const struct text_list *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->item[i], text) == 0 && !glob_has_wildcard(list->item[i]))
			return true;
	return false;
}
