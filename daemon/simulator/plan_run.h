/*
 * One plan under way: its state, which run.c leads from step to step, and what steps need to act on it.
 */
#pragma once

#include "simulated_kernel.h"

#include "../../policy/check/given.h"
#include "../base/wire.h"
#include "../plans/plan_state.h"

struct runs;

/* The policy in force. */
struct policy_in_force {
	struct policy *policy;
};

/* What the plan has opened of one of its devices, for the client; NULL: nothing. */
struct run_files {
	struct device_file *device;
	struct group_file *group;
};

struct run {
	struct plan_run engine;      // first: the engine's calls come with it
	TAILQ_ENTRY(run) link;       // runs::all
	TAILQ_ENTRY(run) ready_link; // runs::ready
	struct runs *runs;
	struct machine *machine;
	uint64_t id;
	enum wire_plan_kind kind;
	struct plan plan;
	int passed_context; /* owned FD, or -1 */
	int peer_fd;        /* owned pidfd, or -1 */
	pid_t peer;
	struct plan_owner owner;
	struct given_change change; /* what it does to what was given */
	bool entered;               /* it was let through: its result is settled */
	/* run_done of run.h. NULL: nobody wants the result any more. */
	void (*done)(void *context, const union wire_message *result, struct descriptors *fds);
	void *done_context;

	bool ready;   /* in runs::ready */
	bool hung;    /* until told to go on */
	bool unsound; /* the plan contradicts itself, and is refused */
	bool killed;  /* its worker is to end at this very step */
	bool through; /* all steps are done, or undone: there is the result to be told */
	bool struck;  /* a fault has struck at this very step: not again */
	struct waiter waiter;
	struct timer timed_call; /* how long a holder is waited for */
	bool patience_over;

	struct context *context; /* that the plan has opened; NULL: none */
	struct run_files *files; /* beside the engine's devices */
	bool locked;             /* no other plan is at work on its devices */
	uint64_t policy_digest;
	const struct policy_in_force *policy; /* where it came from. NULL: that is gone */
	struct wire_result result;            /* as far as it is known */
	int pidfd;                            /* of the holder; owned, or -1 */
};

/* What a kernel_ function said; a wait for the device where it would block. */
int run_outcome(struct run *run, struct simulated_device *device, int said);
/* Waits for something on the device, and, if milliseconds is not 0, so long at most. Returns HOST_CALL_NOT_YET. */
int run_wait(struct run *run, struct simulated_device *device, uint64_t milliseconds);
/*
 * Keeps other plans off the plan's devices, all or none of them. 0, or HOST_CALL_NOT_YET: another plan is at work on
 * one. No two plans ever wait for each other: what one has it has got at once.
 */
int run_lock(struct run *run);
void run_unlock(struct run *run);
