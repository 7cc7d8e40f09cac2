/*
 * What the broker holds for one claim: its lease's peer end, its copy of the iommufd or container (never a device FD or
 * a group's), its timers, and who waits for what. It hangs on the ledger's claim as its attachment and lives as long.
 */
#pragma once

#include "../core/registry.h"
#include "../core/requester.h"

#include "../../../policy/model/claim_state.h"

enum runtime_run {
	RUNTIME_IDLE, /* no plan runs */
	RUNTIME_CLAIMS,
	RUNTIME_ADDS,
	RUNTIME_REMOVES,
	RUNTIME_UNSTORES, /* no plan yet: the service manager closes what it keeps of the claim */
	RUNTIME_REVOKES,
	RUNTIME_RELEASES,
	RUNTIME_UNMAPS,
	RUNTIME_STOPS,  /* no plan: the holder that keeps it lingering is being stopped */
	RUNTIME_PAUSES, /* no plan: one that did not come to its end is run again in a moment (repeat_plan.h) */
};

struct claim_runtime {
	struct registry *registry;
	struct claim *claim;
	enum runtime_run run;
	uint64_t asked_usec;   /* CLOCK_MONOTONIC: when it, or the addition that was last, was asked for */
	uint64_t state_usec;   /* since when it is in its state */
	bool overdue;          /* the plan that runs passed its deadline; only its result can change that */
	bool lease_over;       /* release as soon as no plan runs */
	bool unstored;         /* the service manager keeps nothing of it any more */
	bool nodes_closed;     /* its nodes can't be opened any more (mode node) */
	bool closes_container; /* with RUNTIME_REVOKES: it was the last to open the container to its user */
	bool unmapped;         /* it lingers, and its mappings were removed */
	bool rolls_back;       /* a removal that nobody asked for: an addition was not acknowledged */
	bool persists;         /* the same, of an earlier run: a holder is waited for, and the claim goes on */
	int context;           /* -1: none */
	int lease;             /* its peer end, or a pidfd; -1: none */
	int holder;            /* pidfd of who keeps it lingering; -1: none */
	pid_t holder_pid;
	unsigned retries;                             /* of a release that lingers, or of a removal that persists */
	unsigned repeats;                             /* in a row, of a plan that did not come to its end */
	void (*again)(struct claim_runtime *runtime); /* with RUNTIME_PAUSES */
	bool holder_unknown;                          /* it lingers, and no process was found that holds it */
	bool unbinds;        /* an operator has waived the proof that the kernel refuses to us for no known holder */
	bool by_unbind;      /* the release that runs, or is to run, has the unbind for its proof */
	bool unbind_refused; /* one had, and came no further */
	unsigned stops;      /* of a revocation: how many were stopped */
	void (*stopped)(struct claim_runtime *runtime);      /* with RUNTIME_STOPS */
	bool (*on_lingering)(struct claim_runtime *runtime); /* a release found a holder; true: the claim is held again.
								NULL: nobody asks */
	struct fdstore_drop *unstoring;                      /* with RUNTIME_UNSTORES */
	sd_event_source *lease_source;
	struct unit_watch *lease_unit; /* of a unit */
	sd_event_source *timer;        /* acknowledgement, or the next try of a release or removal */
	sd_event_source *holder_source;
	sd_event_source *grace;       /* of a revocation: when it ends */
	char device[DEVICE_NAME_MAX]; /* that is being added or removed, or was added and is not acknowledged */
	struct subject subject;       /* who made the claim, if subject_known: in this run */
	bool subject_known;
	struct requester *asker;
	struct requester *offered_to;
	struct requester *awaiting; /* requester::next_awaiting */
};

/* Adds a claim to the ledger, as ledger_add() does, with what the broker holds for it. *out is owned by the ledger's
 * claim: claim_runtime_end() ends both. */
int claim_runtime_add(struct registry *registry, const struct claim *claim, struct claim_runtime **out);
/* The same for a claim that was made just now: gives it a new random id first. */
int claim_runtime_new(struct registry *registry, struct claim *made, struct claim_runtime **out);
struct claim_runtime *claim_runtime_of(const struct claim *claim);
/* Closes everything, forgets everybody who waits (they must have been answered), removes the claim from the ledger. */
void claim_runtime_end(struct claim_runtime *runtime);

/*
 * Steps the claim's state and journals it; who waits for the end of its release is stirred. A step that the table does
 * not know is logged as an internal error, and not made. 0, or -errno: it could not be journalled. -ESHUTDOWN: this
 * program ends, nothing was done.
 */
int claim_runtime_step(struct claim_runtime *runtime, enum claim_event event);
/* Tells the news that the claim has other devices than before. */
void claim_runtime_tell_devices(struct claim_runtime *runtime);
/* Has the service manager keep what the claim lives by, as far as it has it: twice is as good as once. */
void claim_runtime_store(struct claim_runtime *runtime);
/* Tells any other news of this claim. */
void claim_runtime_tell(const struct claim_runtime *runtime, struct news news);
/* Journals the claim as it stands. 0 or -errno, after a log line; -ESHUTDOWN: this program ends. */
int claim_runtime_record(struct claim_runtime *runtime);
/* Arms or (usec 0) disarms the timer. */
int claim_runtime_arm(struct claim_runtime *runtime, uint64_t usec, sd_event_time_handler_t handler);
/* Answers everybody who waits for the release; not while this program ends. */
void claim_runtime_answer_awaiting(struct claim_runtime *runtime);
/* Takes a device that is given back, or was never got, out of the ledger, with the members that only it locked out. */
void claim_runtime_give_back(struct claim_runtime *runtime, const char *device);
/* Waits for no holder's end and for no next try any more. */
void claim_runtime_stop_waiting(struct claim_runtime *runtime);
/* Nothing keeps the claim alive any more. */
void claim_runtime_end_lease(struct claim_runtime *runtime);
/* Nobody has to acknowledge anything any more: stops the clock for it. */
void claim_runtime_end_offer(struct claim_runtime *runtime);
/* Takes the asker out: the caller answers it. NULL if nobody waits. */
struct requester *claim_runtime_take_asker(struct claim_runtime *runtime);
