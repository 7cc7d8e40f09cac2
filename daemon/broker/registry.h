/*
 * What the arbiter's parts work on together: the host, the policy in force, the ledger of claims and its journal.
 */
#pragma once

#include "host.h"
#include "news.h"
#include "store.h"
#include "turns.h"
#include "units.h"
#include "waiting.h"

struct registry {
	sd_event *event;
	struct turns *turns;
	struct host *host;
	struct policy *policy;
	struct ledger *ledger;
	struct waiting *waiting; /* questions, for releases to be through */
	struct newsroom news;
	struct store *store;
	struct units *units;
	int journal; /* folder of the claims' files */
};

/*
 * What is known of the host, for a decision. uses: of a survey. NULL members never happen once the host is ready.
 */
struct host_view registry_view(const struct registry *registry, const struct uses *uses);
/* Copies the uses without what only operators are told (mount points, processes). 0, -ENOMEM. */
int registry_redact_uses(const struct uses *uses, struct uses *out);
