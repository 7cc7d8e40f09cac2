/*
 * The main process's side of the ledger of what was given (policy/check/given.h): holds each plan against it before a
 * worker gets the plan, settles it with the plan's result, and keeps it in the executor's runtime folder, which only
 * root can write, so that it survives restarts and kills. Keeps a copy of each claim's context, too: a device is added
 * to that one only.
 */
#pragma once

#include "../../../policy/check/given.h"
#include "../../base/wire.h"
#include "../os/sysfs.h"

/* Where the ledger is kept, if nothing else is said. */
#define EXECUTOR_RUNTIME_FOLDER "/run/ioasidd-executor"

struct plan_under_way;

struct given_claims {
	const struct host *host;
	int folder; /* of the claims' files */
	char boot_id[64];
	struct ledger *ledger;
	struct plan_under_way *first;
	bool frozen;
};

/*
 * Reads what was given before. 0, -EPERM: the folder is not root's alone (logged); -ENOMEM, or other -errno. A file
 * that is not what was written is set aside, and said: what it was about is left as it is then.
 */
int given_claims_start(struct given_claims *given, const struct host *host, const char *runtime_folder);
/*
 * Lets a plan through, or not: then with one sentence in why, and nothing was changed. Of a release, steps that are
 * about nothing that was given are taken out; a plan that is empty then is done. A release of a whole claim takes our
 * copy of its context along: the binder has to be the last to have it.
 */
bool given_claims_admit(struct given_claims *given, const struct policy *policy, const struct kernel_features *kernel,
			struct wire_plan_inbox *plan, char why[static TEXT_MAX]);
/*
 * What became of a plan: the answer to it, just before it is sent, with its FDs (NULL: none), which stay the caller's;
 * but a context that was our copy alone is taken out of it again.
 */
void given_claims_settle(struct given_claims *given, struct wire_result *result, struct descriptors *fds);
/* The broker is gone, and the next one may have another executor already, whose ledger it is now: nothing is written
 * any more. */
void given_claims_freeze(struct given_claims *given);
void given_claims_end(struct given_claims *given);
