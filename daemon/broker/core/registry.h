/*
 * What the arbiter's parts work on together: the host, the policy in force, the ledger of claims and its journal.
 */
#pragma once

#include "../host/host.h"
#include "events.h"
#include "policy_standing.h"
#include "../state/fdstore.h"
#include "../system/turns.h"
#include "../system/systemd_units.h"
#include "release_wait.h"

struct registry {
	sd_event *event;
	struct turns *turns;
	struct host *host;
	struct policy *policy;
	struct policy_standing standing; /* of the files that are there */
	struct ledger *ledger;
	struct release_waits *waits; /* questions, for releases to be through */
	struct newsroom news;
	struct fdstore *store;
	struct units *units;
	int claim_files; /* folder of the claims' files */
	bool ending;     /* registry_end() */
};

/*
 * This program ends, or can do nothing any more. From now on nothing is decided about any claim: none changes its
 * state, nothing is journalled, nothing is asked of the host or the service manager, nobody is told anything. What is
 * under way or unacknowledged stays in the journal as it is, for the next start, which rolls it back.
 */
void registry_end(struct registry *registry);

/*
 * What is known of the host, for a decision. uses: of a survey. NULL members never happen once the host is ready.
 */
struct host_view registry_view(const struct registry *registry, const struct uses *uses);
/* True if this program and its executor hold different policies: the executor would refuse every claim. */
bool registry_policies_differ(const struct registry *registry);
/* Copies the uses without what only operators are told (mount points, processes). 0, -ENOMEM. */
int registry_redact_uses(const struct uses *uses, struct uses *out);
