/*
 * The binder's own check of a plan, before anything is touched: it believes nothing of what the broker says. Looks at the
 * host anew; changes nothing.
 */
#pragma once

#include "../base/wire.h"
#include "../../policy/policy.h"
#include "sysfs.h"

/*
 * True if a claim plan may be run: each device is what and where the plan says, and the policy gives somebody all of it.
 * Else one sentence in why.
 */
bool recheck_claim(const struct host *host, const struct policy *policy, const struct plan *plan,
		   char why[static TEXT_MAX]);
/*
 * True if a release plan has the form that one has to have on this kernel (policy/release_check.h). Asks no policy.
 */
bool recheck_release(const struct host *host, const struct plan *plan, bool context_passed, char why[static TEXT_MAX]);
