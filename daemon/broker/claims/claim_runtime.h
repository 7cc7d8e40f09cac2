/*
 * What the broker holds for one claim: its lease's peer end, its copy of the iommufd or container (never a device FD or a
 * group's), its timers, and who waits for what. It hangs on the ledger's claim as its attachment and lives as long.
 */
#pragma once

#include "../core/registry.h"
#include "../core/requester.h"

#include "../../../policy/model/claim_state.h"

enum holding_run {
	HOLDING_IDLE,    /* no plan runs */
	HOLDING_CLAIMS,
	HOLDING_ADDS,
	HOLDING_REMOVES,
	HOLDING_UNSTORES, /* no plan yet: the service manager closes what it keeps of the claim */
	HOLDING_REVOKES,
	HOLDING_RELEASES,
	HOLDING_UNMAPS,
	HOLDING_STOPS, /* no plan: whoever keeps it lingering is being stopped */
	HOLDING_PAUSES, /* no plan: one that did not come to its end is run again in a moment (repeat_plan.h) */
};

struct holding {
	struct registry *registry;
	struct claim *claim;
	enum holding_run run;
	uint64_t asked_usec;           /* CLOCK_MONOTONIC: when it, or the addition that was last, was asked for */
	uint64_t state_usec;           /* since when it is in its state */
	bool overdue;                  /* the plan that runs passed its deadline; only its result can change that */
	bool lease_over;               /* release as soon as no plan runs */
	bool unstored;                 /* the service manager keeps nothing of it any more */
	bool nodes_closed;             /* its nodes can't be opened any more (mode node) */
	bool closes_container;         /* with HOLDING_REVOKES: it was the last to open the container to its user */
	bool unmapped;                 /* it lingers, and its mappings were removed */
	bool rolls_back;               /* a removal that nobody asked for: an addition was not acknowledged */
	bool persists;                 /* the same, of an earlier run: a holder is waited for, and the claim goes on */
	int context;                   /* -1: none */
	int lease;                     /* its peer end, or a pidfd; -1: none */
	int holder;                    /* pidfd of who keeps it lingering; -1: none */
	pid_t holder_pid;
	unsigned retries;              /* of a release that lingers, or of a removal that persists */
	unsigned repeats;              /* in a row, of a plan that did not come to its end */
	void (*again)(struct holding *holding); /* with HOLDING_PAUSES */
	bool holder_unknown;           /* it lingers, and no process was found that holds it */
	bool unbinds;                  /* an operator has waived the proof that the kernel refuses to us for no known holder */
	bool by_unbind;                /* the release that runs, or is to run, has the unbind for its proof */
	bool unbind_refused;           /* one had, and came no further */
	unsigned stops;                /* of a revocation: how many were stopped */
	void (*stopped)(struct holding *holding); /* with HOLDING_STOPS */
	bool (*on_lingering)(struct holding *holding); /* a release found somebody; true: it is held again. NULL: nobody asks */
	struct store_drop *unstoring;  /* with HOLDING_UNSTORES */
	sd_event_source *lease_source;
	struct unit_watch *lease_unit; /* of a unit */
	sd_event_source *timer;        /* acknowledgement, or the next try of a release or removal */
	sd_event_source *holder_source;
	sd_event_source *grace;        /* of a revocation: when it ends */
	char device[DEVICE_NAME_MAX];  /* that is being added or removed, or was added and is not acknowledged */
	struct subject subject;        /* who made the claim, if subject_known: in this run */
	bool subject_known;
	struct requester *asker;
	struct requester *offered_to;
	struct requester *awaiting;    /* requester::next_awaiting */
};

/* Makes a claim with a new random id and its holding. *out is owned by the ledger's claim: holding_end() ends both. */
int holding_new(struct registry *registry, struct holding **out);
/* The same for a claim read from the journal; the device array is copied. */
int holding_adopt(struct registry *registry, const struct claim *read, struct holding **out);
struct holding *holding_of(const struct claim *claim);
/* Closes everything, forgets everybody who waits (they must have been answered), removes the claim from the ledger. */
void holding_end(struct holding *holding);

/*
 * Steps the claim's state and journals it; who waits for the end of its release is stirred. A step that the table does
 * not know is logged as an internal error, and not made. 0, or -errno: it could not be journalled. -ESHUTDOWN: this program
 * ends, nothing was done.
 */
int holding_step(struct holding *holding, enum claim_event event);
/* Tells the news that the claim has other devices than before. */
void holding_tell_devices(struct holding *holding);
/* Has the service manager keep what the claim lives by, as far as it has it: twice is as good as once. */
void holding_store(struct holding *holding);
/* Tells any other news of this claim. */
void holding_tell(const struct holding *holding, struct news news);
/* Journals the claim as it stands. 0 or -errno, after a log line; -ESHUTDOWN: this program ends. */
int holding_journal(struct holding *holding);
/* Arms or (usec 0) disarms the timer. */
int holding_arm(struct holding *holding, uint64_t usec, sd_event_time_handler_t handler);
/* Answers everybody who waits for the release; not while this program ends. */
void holding_answer_awaiting(struct holding *holding);
/* Takes a device that is given back, or was never got, out of the ledger, with the members that only it locked out. */
void holding_give_back(struct holding *holding, const char *device);
/* Waits for no holder's end and for no next try any more. */
void holding_stop_waiting(struct holding *holding);
/* Nothing keeps the claim alive any more. */
void holding_end_lease(struct holding *holding);
/* Nobody has to acknowledge anything any more: stops the clock for it. */
void holding_end_offer(struct holding *holding);
/* Takes the asker out: he is answered by the caller. NULL if nobody waits. */
struct requester *holding_take_asker(struct holding *holding);
