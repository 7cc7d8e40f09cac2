/*
 * Decisions: may this subject have these devices, what would be locked out, and what stands in the way. One pure
 * function that answers plan and claim in the broker, and a second that lets the executor check a plan made elsewhere.
 * A decision changes nothing and depends on nothing but its arguments.
 */
#pragma once

#include "verdict.h"

/* Decides. 0 with *out filled (free it with decision_done()), -ENOMEM, or -EINVAL for a count or mode out of range. */
int decide(const struct policy *policy, const struct host_view *host, const struct request *request,
	   struct decision *out);

/*
 * The executor's own check of a claim plan (steps that take devices): every device that the plan takes is reached by
 * an allow rule and not in never; every member that the plan unbinds or pins is covered by such a rule's lockout; none
 * has a fatal use by its own survey unless a rule names it with in_use take; names and drivers are what the topology
 * has; every override is a VFIO driver or the pin; members share the group of a taken device. The steps' order and
 * kinds are those of a plan that plan_for_claim() could have made. Returns true if all holds; else false with one
 * sentence in why. host->ledger may be NULL here: the executor keeps none.
 */
bool plan_is_covered(const struct policy *policy, const struct host_view *host, const struct plan *plan,
		     char why[static TEXT_MAX]);
