/*
 * Decisions: may this subject have these devices, what would be locked out, and what stands in the way. One pure
 * function that answers plan and claim in the broker. A decision changes nothing and depends on nothing but its
 * arguments.
 */
#pragma once

#include "decision.h"

/* Decides. 0 with *out filled (free it with decision_done()), -ENOMEM, or -EINVAL for a count or mode out of range. */
int decide(const struct policy *policy, const struct host_view *host, const struct request *request,
	   struct decision *out);
