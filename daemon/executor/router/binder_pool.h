/*
 * The main process's side of the binders: hands each plan to one that is idle, keeps a spare one warm, replaces those
 * that hang, and passes the results on. Never waits for any of them.
 */
#pragma once

#include "supervisor.h"
#include "plan_job.h"
#include "binder_slots.h"
#include "done_plans.h"
#include "node_grants.h"

struct binder_pool {
	struct supervisor *supervisor;
	struct binder_slots slots;
	struct worker worker[BINDER_SLOTS];
	struct plan_job *job[BINDER_SLOTS]; /* that the binder has not got all of */
	struct plan granting[BINDER_SLOTS]; /* the steps of the binder's plan that let a user open nodes */
	struct node_grants grants;
	uint64_t nodes_changed;                      /* how often udev was at work on nodes */
	uint64_t nodes_changed_before[BINDER_SLOTS]; /* when the binder got its plan */
	struct step node_step[BINDER_SLOTS]; /* that the binder does outside of any plan; kind STEP_KIND_COUNT: none */
	struct deed_set doing[BINDER_SLOTS]; /* the devices of the binder's plan */
	struct done_plans done_plans;
	struct plan_job_queue waiting;
};

int binder_pool_start(struct binder_pool *pool, struct supervisor *supervisor,
		      const struct host *host); /* 0 or -errno */
/* Takes a plan over. */
void binder_pool_run(struct binder_pool *pool, struct plan_job *job);
/* The deadline of a plan passed: its binder counts as stuck, and another takes its place. */
void binder_pool_overdue(struct binder_pool *pool, uint64_t plan);
/* A new policy is in force, of which the crew has a snapshot. */
void binder_pool_renew(struct binder_pool *pool);
/* udev was at work on this node (NULL: perhaps on any): whoever may open it has to be able to still. */
void binder_pool_nodes_changed(struct binder_pool *pool, const char *node);
/* The socket of that binder can be read, or takes more. */
void binder_pool_readable(struct binder_pool *pool, int slot);
void binder_pool_writable(struct binder_pool *pool, int slot);
/* True if the binder in that slot waits for place in its socket. */
bool binder_pool_wants_to_write(const struct binder_pool *pool, int slot);
/* True if all binders that were started are ready. */
bool binder_pool_is_warm(const struct binder_pool *pool);
/* True while plans run that were not given up. */
bool binder_pool_is_busy(const struct binder_pool *pool);
/* Drops the plans that no binder has yet, without an answer: the executor ends, and its end is the answer. */
void binder_pool_cancel(struct binder_pool *pool);
void binder_pool_end(struct binder_pool *pool);
