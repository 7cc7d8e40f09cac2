/*
 * Which devices of a pool have to be surveyed before one of them can be chosen. Looks at everything but uses, and only
 * as long as a broker may.
 */
#pragma once

#include "decision.h"

/* A shortlist has so many more devices of a pool than are asked for, if there are as many. */
enum { POOL_CANDIDATES_SPARE = 31 };

/*
 * Of each pool that the request names, those candidates that look best: free, few lockouts, on the client's NUMA node,
 * allowed by a rule. They and their groups, with the groups of the devices that the request names, have at most
 * GROUP_MEMBERS_MAX members together, unless the latter have more by themselves. host->uses is not looked at.
 * Returns how many were written to out, which has room for GROUP_MEMBERS_MAX and whose names are the topology's own;
 * or -ENOMEM.
 */
int pool_shortlist(const struct policy *policy, const struct host_view *host, const struct request *request,
		   const char **out);
