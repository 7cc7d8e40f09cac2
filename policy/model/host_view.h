/*
 * The view of a host that a decision or a check is made on: plain data, all of it the caller's.
 */
#pragma once

#include "kernel_features.h"
#include "ledger.h"
#include "topology.h"
#include "use.h"

struct host_view {
	const struct topology *topology;
	const struct uses *uses;     /* at least of every member of every group that is asked for */
	const struct ledger *ledger; /* NULL: no claims */
	const struct kernel_features *kernel;
	/* The policy files that are there were refused and are not in force: the first reason, for operators. NULL:
	 * they are. */
	const char *policy_fault;
	bool policies_differ; /* the executor holds another policy, and refuses what is decided by this one */
};
