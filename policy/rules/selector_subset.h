/*
 * Whether one selector means everything that another one means, told from their texts alone: "yes" is certain, whatever
 * devices and subjects there are; "no" may be a case that is not plain to see.
 */
#pragma once

#include "policy.h"

/* True if the list is given and leaves out no device: it narrows nothing. */
bool selector_list_is_universal(enum selector_list list, const struct text_list *items);
/* Comparisons of texts that may still be made; at 0 every answer is "no". NULL: no limit. */
bool device_selector_includes(const struct policy *policy, const struct device_selector *outer,
			      const struct device_selector *inner, size_t *budget);
bool subject_selector_includes(const struct subject_selector *outer, const struct subject_selector *inner,
			       size_t *budget);
