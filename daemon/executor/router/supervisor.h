/*
 * What all parts of the main process need to start workers and to answer the broker, and what tells it to give up:
 * workers that end as soon as they are started.
 */
#pragma once

#include "given_claims.h"
#include "outbox.h"
#include "worker.h"

struct supervisor {
	struct outbox outbox;
	struct given_claims given;
	int program;           /* the executor's own binary, to be executed again */
	int policy;            /* a snapshot of the policy in force */
	unsigned early_deaths; /* in a row, without any work done between */
	bool hopeless;         /* too many of those */
};

/*
 * Answers a plan: what was given is settled, then the broker is told. Takes the FDs over (NULL: none), as
 * outbox_send(). Every plan that was let through is answered here and nowhere else.
 */
void supervisor_answer_plan(struct supervisor *supervisor, union wire_message *result, struct descriptors *fds);
/* Starts a worker, with a logged line on failure. 0 or -errno. */
int supervisor_start(struct supervisor *supervisor, struct worker *worker, enum worker_role role);
/* A worker is gone that should not be: counts, and makes sure that it is. */
void supervisor_lost(struct supervisor *supervisor, struct worker *worker, enum worker_role role);
/* A worker did what it is there for. */
void supervisor_worked(struct supervisor *supervisor);
