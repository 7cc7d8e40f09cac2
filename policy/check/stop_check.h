/*
 * The executor's own check before it stops a process or a unit: what still holds when the broker was taken over. That
 * the process, or one of the unit, holds one of the devices is for the caller to find out; here is asked what the
 * policy says.
 */
#pragma once

#include "../rules/policy.h"

/*
 * True if this rule is there, allows, gave these devices away at least as far as can be told now, and says that so much
 * may be stopped; a rule that lets a unit be stopped lets a process be. Else one sentence in why.
 */
bool stop_is_covered(const struct policy *policy, const struct topology *topology, const char *rule,
		     enum revoke_stop what, const struct device *device, size_t count, char why[static TEXT_MAX]);
/*
 * True for a unit that may be stopped at all: a service or a scope that is none of the service manager's own, nor of
 * ioasidd's. Else one sentence in why.
 */
bool stop_unit_is_possible(const char *unit, char why[static TEXT_MAX]);
