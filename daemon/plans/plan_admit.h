/*
 * Whether a plan may be run here at all: made under the policy that is in force, about devices
 * that are as it says, and covered by the policy. The same of a stop. And what a plan's end means for the ledger of
 * what was given. Looks at nothing itself: it is shown the host as it is now.
 */
#pragma once

#include "../../policy/check/given.h"
#include "../../policy/check/plan_check.h"
#include "../base/wire.h"

/* True if a plan was made under this policy, which broker and executor have to hold both; else one sentence in why. */
bool plan_admit_policy(uint64_t digest, const struct policy *policy, char why[static TEXT_MAX]);
/* True if each device of a claim's plan is what and where the plan says; else one sentence in why. */
bool plan_admit_devices(const struct topology *topology, const struct plan *plan, char why[static TEXT_MAX]);
/*
 * True if the policy gives the owner all that the plan takes. shown: what the client's process says of its user now;
 * NULL: nothing. Else one sentence in why.
 */
bool plan_admit_claim(const struct policy *policy, const struct host_view *host, const struct plan *plan,
		      const struct plan_owner *owner, const struct subject *shown, char why[static TEXT_MAX]);

/*
 * True if what a stop is about may be stopped: it is no process that has to stay (kept), no unit that never may be, and
 * the devices that it is to be stopped for were given to one claim by the rule. found: how many of them are there. Else
 * one sentence in why. That the policy lets it be stopped, and that it holds one of them, is to be seen as well.
 */
bool plan_admit_stop(const struct wire_stop *question, const struct ledger *given, bool kept, size_t found,
		     char why[static TEXT_MAX]);

/* What an outcome means for the ledger of what was given. */
enum given_end plan_admit_end(enum wire_outcome outcome);
