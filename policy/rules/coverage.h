/*
 * What one rule covers: the questions that a decision and the executor's check of a plan both ask of a device or a
 * member. One answer for both, so that the two programs can't differ. Changes nothing.
 */
#pragma once

#include "policy.h"
#include "../model/use.h"

/*
 * The use that stands against taking a device, or NULL: a process that holds it always, since nothing takes an FD away
 * from it; else its worst use from disruptive on, unless consent was given.
 */
const struct use *coverage_blocking_use(const struct uses *uses, const char *device, bool consent);
/* True if the rule consents to a device in use: it says so, and it names that very device. */
bool coverage_consents(const struct rule *rule, const char *device);
/* True if the device can't be taken off the driver that it is on. */
bool coverage_is_stuck_on_driver(const struct device *device);
/* True if the rule asks for a reset that the device does not have. */
bool coverage_lacks_reset(const struct rule *rule, const struct device *device);

/* How a member stands that a claim under a rule would lock out. */
enum cover {
	COVER_GIVEN,
	COVER_NEVER,          /* it is in never */
	COVER_NOT_ALLOWED,    /* the rule does not let it be locked out */
	COVER_IN_USE,         /* the rule would, but the host uses it */
	COVER_NOT_RESTORABLE, /* it would have to leave a driver that it can't leave */
};
/* *use is set to what uses it with COVER_IN_USE, else to NULL. */
enum cover coverage_of_member(const struct policy *policy, const struct topology *topology, const struct rule *rule,
			      const struct uses *uses, const struct device *member, const struct use **use);

/*
 * True if somebody could get this device by this rule: it allows and matches, and of its subjects at least one is not
 * plainly taken by a rule before it that matches too. index: of the rule in the policy.
 */
bool coverage_rule_reaches(const struct policy *policy, const struct topology *topology, size_t index,
			   const struct device *device);
