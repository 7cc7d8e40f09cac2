/*
 * Reading one rule of a policy. Never looks at other rules: whether its name is unique is the caller's to see.
 */
#pragma once

#include "parse_selector.h"

/* Reads a rule into *out, which is all zero before. After errors *out has what was right. */
void parse_rule(struct parse *parse, const struct json_value *value, struct rule *out);
