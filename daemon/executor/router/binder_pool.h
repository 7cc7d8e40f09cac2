/*
 * The main process's side of the binders: hands each plan to one that is idle, keeps a spare one warm, replaces those that
 * hang, and passes the results on. Never waits for any of them.
 */
#pragma once

#include "supervisor.h"
#include "plan_job.h"
#include "binder_slots.h"
#include "done_plans.h"
#include "node_grants.h"

struct binding {
	struct crew *crew;
	struct binders binders;
	struct worker worker[BINDERS_SLOTS];
	struct job *job[BINDERS_SLOTS]; /* that the binder has not got all of */
	struct plan granting[BINDERS_SLOTS]; /* the steps of the binder's plan that let a user open nodes */
	struct grants grants;
	struct deed_set doing[BINDERS_SLOTS]; /* the devices of the binder's plan */
	struct deeds deeds;
	struct job_queue waiting;
};

int binding_start(struct binding *binding, struct crew *crew, const struct host *host); /* 0 or -errno */
/* Takes a plan over. */
void binding_run(struct binding *binding, struct job *job);
/* The deadline of a plan passed: its binder counts as stuck, and another takes its place. */
void binding_overdue(struct binding *binding, uint64_t plan);
/* A new policy is in force, of which the crew has a snapshot. */
void binding_renew(struct binding *binding);
/* The socket of that binder can be read, or takes more. */
void binding_readable(struct binding *binding, int slot);
void binding_writable(struct binding *binding, int slot);
/* True if the binder in that slot waits for place in its socket. */
bool binding_wants_to_write(const struct binding *binding, int slot);
/* True if all binders that were started are ready. */
bool binding_is_warm(const struct binding *binding);
/* True while plans run that were not given up. */
bool binding_is_busy(const struct binding *binding);
/* Drops the plans that no binder has yet, without an answer: the executor ends, and its end is the answer. */
void binding_cancel(struct binding *binding);
void binding_end(struct binding *binding);
