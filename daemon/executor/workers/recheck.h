/*
 * The binder's own check of a claim's plan, before anything is touched: it believes nothing of what the broker says.
 * Looks at the host anew; changes nothing.
 */
#pragma once

#include "../../base/wire.h"
#include "../../../policy/rules/policy.h"
#include "../os/sysfs.h"

/*
 * True if a claim plan may be run: each device is what and where the plan says, and the policy gives its owner all of
 * it. Else one sentence in why.
 */
bool recheck_claim(const struct host *host, const struct policy *policy, const struct plan *plan,
		   const struct wire_enclosure *enclosure, char why[static TEXT_MAX]);
