/*
 * One plan under way: its state, which run.c leads from step to step, and what steps need to act on it.
 */
#pragma once

#include "simulated_kernel.h"

#include "../../policy/check/given.h"
#include "../base/wire.h"

struct runs;

/* The policy that whoever asks is held to. */
struct policy_in_force {
	struct policy *policy;
};

struct run {
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

	size_t next; /* the step that is done next; while it is undone: the number of steps not undone yet */
	bool undoing;
	bool ready;  /* in runs::ready */
	bool hung;   /* until somebody says go on */
	bool struck; /* a fault has struck at this very step: not again */
	struct waiter waiter;
	struct timer timed_call; /* how long a holder is waited for */
	bool patience_over;

	struct context *context; /* of the plan: new, or the passed one */
	uint32_t ioas;
	struct group_file *group[CLAIM_DEVICES_MAX]; /* in the order of the STEP_GROUPs */
	size_t group_count;
	struct device_file *file[CLAIM_DEVICES_MAX]; /* in the order of the STEP_OPENs or STEP_GROUP_DEVICEs */
	size_t file_count;
	bool *skip;   /* a release: steps of a device where one has failed, by number of the step */
	bool *marked; /* a release: restores of a device that the plan itself has unbound */
	bool locked;  /* no other plan is at work on its devices */
	uint64_t policy_digest;
	const struct policy_in_force *policy; /* where it came from. NULL: that is gone */
	struct wire_result result;            /* as far as it is known */
	int pidfd;                            /* of the holder; owned, or -1 */
	char why[TEXT_MAX];                   /* what the last step has to say */
};

/* The run waits for something: it is called again then. */
#define STEP_WAITS 1

/* The step's device as it was planned, or NULL: gone, or another one under its name. */
struct simulated_device *run_device(const struct run *run, const struct step *step);
/* What a kernel_ function said; a wait for the device where it would block. */
int run_outcome(struct run *run, struct simulated_device *device, int said);
/* Waits for something on the device, and, if milliseconds is not 0, so long at most. Returns STEP_WAITS. */
int run_wait(struct run *run, struct simulated_device *device, uint64_t milliseconds);
/*
 * Keeps other plans off the plan's devices, all or none of them. 0, or STEP_WAITS: another plan is at work on one. No
 * two plans ever wait for each other: what one has it has got at once.
 */
int run_lock(struct run *run);
void run_unlock(struct run *run);
/* Writes run->why. */
void run_say(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
