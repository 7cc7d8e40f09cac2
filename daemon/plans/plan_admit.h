/*
 * Whether a plan may be run here at all, whoever asks for it: made under the policy that is in force, about devices
 * that are as it says, and covered by the policy. And what its end means for the ledger of what was given. Looks at
 * nothing itself: it is shown the host as it is now.
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

/* What an outcome means for the ledger of what was given. */
enum given_end plan_admit_end(enum wire_outcome outcome);
