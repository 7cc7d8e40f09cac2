#include "selector_subset.h"

#include "../util/glob.h"

#include <string.h>

static bool spend(size_t *budget)
{
	if (!budget)
		return true;
	if (*budget == 0)
		return false;
	--*budget;
	return true;
}

/* How many characters stand for themselves before the first that does not. */
static size_t literal_length(const char *pattern)
{
	return strcspn(pattern, "*?[");
}

/* True if every text that the inner pattern matches is matched by the outer. */
static bool pattern_includes(enum selector_list list, const char *outer, const char *inner)
{
	size_t fixed = literal_length(outer);

	if (strcmp(outer, inner) == 0)
		return true;
	if (!outer[fixed])
		/* Of these only classes match more than themselves: what begins with them. */
		return list == SELECTOR_CLASS && literal_length(inner) >= fixed && strncmp(outer, inner, fixed) == 0;
	if (outer[fixed] == '*' && !outer[fixed + 1])
		return literal_length(inner) >= fixed && strncmp(outer, inner, fixed) == 0;
	/* A short class stands for longer texts, of which a glob may match some only. */
	if (list == SELECTOR_CLASS && strlen(inner) < 6)
		return false;
	return !glob_has_wildcard(inner) && glob_matches(outer, inner);
}

static bool has_item(const struct text_list *items, const char *text)
{
	for (size_t i = 0; i < items->count; i++)
		if (strcmp(items->item[i], text) == 0)
			return true;
	return false;
}

/* Only PCI functions have addresses, ids and classes. */
static bool all_kinds_have(enum selector_list list)
{
	bool all = true;

	for (uint32_t i = 0; i < device_kind_count; i++)
		all = all && device_kinds[i] == &pci_kind;
	return all || (list != SELECTOR_ADDRESS && list != SELECTOR_ID && list != SELECTOR_SUBSYSTEM &&
		       list != SELECTOR_CLASS);
}

bool selector_list_is_universal(enum selector_list list, const struct text_list *items)
{
	uint32_t kind = 0;

	/* A device may have no parent, an unknown node, and a pool has a name. */
	if (list == SELECTOR_PARENT || list == SELECTOR_NUMA_NODE || list == SELECTOR_POOL)
		return false;
	if (list != SELECTOR_KIND)
		return all_kinds_have(list) && has_item(items, "*");
	while (kind < device_kind_count && has_item(items, device_kind_to_string((enum device_kind)kind)))
		kind++;
	return kind == device_kind_count;
}

static bool list_includes(enum selector_list list, const struct text_list *outer, const struct text_list *inner,
			  size_t *budget)
{
	for (size_t i = 0; i < inner->count; i++) {
		bool found = false;

		for (size_t k = 0; k < outer->count && !found; k++) {
			if (!spend(budget))
				return false;
			/* Names of pools have no wildcards. */
			found = list == SELECTOR_POOL ? strcmp(outer->item[k], inner->item[i]) == 0
						      : pattern_includes(list, outer->item[k], inner->item[i]);
		}
		if (!found)
			return false;
	}
	return inner->count > 0;
}

/* True if all that is named is a PCI function, which can be told by its address as well. */
static bool is_all_pci(const struct text_list *names)
{
	for (size_t i = 0; i < names->count; i++)
		if (!pci_address_is_valid(names->item[i]))
			return false;
	return true;
}

/* Whether the outer list of devices is kept by the inner selector. An address is a name, too. */
static bool is_included(enum selector_list list, const struct text_list *outer, const struct device_selector *inner,
			size_t *budget)
{
	const struct text_list *names = &inner->list[SELECTOR_NAME];

	if (list_includes(list, outer, &inner->list[list], budget))
		return true;
	if (list == SELECTOR_NAME)
		return list_includes(list, outer, &inner->list[SELECTOR_ADDRESS], budget);
	return list == SELECTOR_ADDRESS && is_all_pci(names) && list_includes(list, outer, names, budget);
}

/* The same with a second selector that narrows the inner one; NULL: none does. */
static bool includes_both(const struct device_selector *outer, const struct device_selector *inner,
			  const struct device_selector *narrower, size_t *budget)
{
	for (enum selector_list i = 0; i < SELECTOR_LIST_COUNT; i++) {
		if (outer->list[i].count == 0 || selector_list_is_universal(i, &outer->list[i]) ||
		    is_included(i, &outer->list[i], inner, budget))
			continue;
		if (!narrower || !is_included(i, &outer->list[i], narrower, budget))
			return false;
	}
	return true;
}

bool device_selector_includes(const struct policy *policy, const struct device_selector *outer,
			      const struct device_selector *inner, size_t *budget)
{
	const struct text_list *pools = &inner->list[SELECTOR_POOL];

	if (includes_both(outer, inner, NULL, budget))
		return true;
	/* What is in a pool has to fit one of its selectors, too. */
	for (size_t i = 0; i < pools->count; i++) {
		const struct pool *pool = policy_pool(policy, pools->item[i]);

		for (size_t k = 0; pool && k < pool->selector_count; k++)
			if (!includes_both(outer, inner, &pool->selector[k], budget))
				return false;
	}
	return pools->count > 0;
}

static bool ids_include(const uint32_t *outer, size_t outer_count, const uint32_t *inner, size_t inner_count,
			size_t *budget)
{
	if (outer_count == 0)
		return true;
	for (size_t i = 0; i < inner_count; i++) {
		size_t k = 0;

		while (k < outer_count && outer[k] != inner[i] && spend(budget))
			k++;
		if (k == outer_count || outer[k] != inner[i])
			return false;
	}
	return inner_count > 0;
}

bool subject_selector_includes(const struct subject_selector *outer, const struct subject_selector *inner,
			       size_t *budget)
{
	if (outer->any || inner->any)
		return outer->any;
	return ids_include(outer->uid, outer->uid_count, inner->uid, inner->uid_count, budget) &&
	       ids_include(outer->gid, outer->gid_count, inner->gid, inner->gid_count, budget) &&
	       (outer->unit.count == 0 || list_includes(SELECTOR_DRIVER, &outer->unit, &inner->unit, budget));
}
