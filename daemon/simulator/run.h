/*
 * Runs plans on the simulated host as the executor's binders do: checked first, then step by step, undone backwards at
 * a failure. Any number of them side by side: a plan that would sleep in the kernel waits here without holding up
 * anybody. Does not know where plans come from.
 */
#pragma once

#include "faults.h"
#include "plan_run.h"

struct runs;

/* The result of a plan, stamped, and its FDs; those that the callee does not take are closed. */
typedef void (*run_done)(void *context, const union wire_message *result, struct descriptors *fds);

/* Both have to outlive the runs. 0, -ENOMEM. */
int plan_runs_new(struct machine *machine, struct faults *faults, struct runs **out);
/* Drops plans that are under way where they are. */
struct runs *plan_runs_free(struct runs *runs);

/*
 * Runs a whole plan, consuming the inbox, once no other plan is at work on its devices. policy is
 * looked at then: it and context have to stay until done() or runs_forget(). done may be called before this returns. 0;
 * -ENOMEM: done is not called.
 */
int plan_runs_start(struct runs *runs, struct wire_plan_inbox *inbox, const struct policy_in_force *policy,
		    run_done done, void *context);
/* Whoever had these plans is gone: they go on, their FDs are closed at the end and nobody is told. */
void runs_forget(struct runs *runs, const void *context);
/* Lets go on what a fault has made hang, and clears the faults that would hang others. */
void runs_unhang(struct runs *runs);
/* Plans that are under way; those of them that hang because of a fault. */
size_t plan_runs_count(const struct runs *runs);
size_t runs_hung(const struct runs *runs);
/* Has it called whenever one of these numbers has changed. */
void runs_watch(struct runs *runs, void (*changed)(void *context), void *context);
