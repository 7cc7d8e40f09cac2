/*
 * Reading the selectors of a policy: which devices, and which subjects. Refuses patterns that are spelt so that no
 * device could match them, since a rule that silently matches nothing is worse than none.
 */
#pragma once

#include "parse_value.h"

/*
 * Reads a device selector into *out, which is empty before. other_key: a key of the object that the caller reads
 * itself, or NULL. pools: whether it may name pools. After errors *out has what was right.
 */
void parse_device_selector(struct parse *parse, const struct json_value *value, const char *other_key, bool pools,
			   struct device_selector *out);
/* Reads who is meant, by user, group and unit, into *out, which is empty before. */
void parse_subject_selector(struct parse *parse, const struct json_value *value, struct subject_selector *out);
/* A device's name in full, without globs; NULL after an error. */
const char *parse_full_name(struct parse *parse, const struct json_value *value);
