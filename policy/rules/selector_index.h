/*
 * An index of selectors by their texts: finds those that could include another one without comparing it with all of
 * them. What it finds has still to be compared; what it does not find does not include it.
 */
#pragma once

#include "policy.h"

struct policy_index;

/* What is indexed, in order. Both are borrowed; subject NULL: everybody. */
struct policy_index_entry {
	const struct subject_selector *subject;
	const struct device_selector *device;
};

/* NULL: out of memory. The policy's pools are looked at. */
struct policy_index *policy_index_new(const struct policy *policy, const struct policy_index_entry *entry,
				      size_t count);
struct policy_index *policy_index_free(struct policy_index *index);
/*
 * The number of an entry below limit that means everything which the wanted one means, or SIZE_MAX where none is found.
 * budget: as for device_selector_includes().
 */
size_t policy_index_find(const struct policy_index *index, const struct policy_index_entry *wanted, size_t limit,
			 size_t *budget);
