/*
 * The executor's own check of a claim plan: what still holds when the broker was taken over. It believes nothing of the
 * plan. It takes from it only which devices are meant, makes the plan anew from its own view of the host, and compares
 * step by step; then it looks whether the rule that is named gives all of it to the subject that is named.
 */
#pragma once

#include "../model/host_view.h"
#include "../plan/plan.h"
#include "../rules/policy.h"

/*
 * The executor's own check of a claim plan (steps that take devices): the rule that the owner names decides over every
 * device that the plan takes, for the subject that the owner names, and allows it; none is in never; every member that
 * the plan unbinds or pins is covered by that rule's lockout; none has a fatal use by its own survey unless the rule
 * names it with in_use take; names and drivers are what the topology has; every override is a VFIO driver or the pin;
 * members share the group of a taken device; rights to nodes are the subject's. The steps' order and kinds are those of
 * a plan that plan_for_claim() could have made. Returns true if all holds; else false with one sentence in why.
 * host->ledger is not looked at: given.h has what was given already.
 */
bool plan_is_covered(const struct policy *policy, const struct host_view *host, const struct plan *plan,
		     const struct plan_owner *owner, char why[static TEXT_MAX]);
/*
 * What a plan gives to a user by his number, rights to nodes or memory, by a rule that goes by groups or units, it
 * gives only to one whose client shows these: shown is what the kernel says of the client's process, NULL where there
 * is none. True if it does, or need not; else false with one sentence in why. Descriptors go through the broker, who
 * could hand them to anybody: there it would show nothing.
 */
bool plan_subject_is_shown(const struct policy *policy, const struct plan *plan, const struct plan_owner *owner,
			   const struct subject *shown, char why[static TEXT_MAX]);
