/*
 * The policy in force as org.ioasid1 writes it down: its rules, with what they select and how they give it in words. It
 * tells, and decides nothing.
 */
#pragma once

#include "../rules/policy.h"

#include <json-c/json.h>

/*
 * The reply of GetPolicy, owned by the caller. reader: only the rules that could apply to him, whatever unit he runs
 * in; NULL: all.
 */
struct json_object *rule_json_policy(const struct policy *policy, const struct subject *reader);
