/*
 * What can only be seen of a policy as a whole: rules that never decide, and rules that contradict themselves or
 * others.
 */
#pragma once

#include "policy.h"

/*
 * Adds what is wrong and doubtful in a policy that was parsed without errors. What is doubtful only: a rule whose every
 * device and subject an earlier rule means, too; an allow rule or a named lockout that never takes back, which is how
 * an operator closes a hole in a hurry. Rules that are included in several others together are not found.
 * 0, or -ENOMEM.
 */
int policy_check(const struct policy *policy, struct diagnostics *diagnostics);
