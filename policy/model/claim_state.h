/*
 * The life of a claim as a table with a pure step: which event leads from which state where. What happens on the way
 * is the broker's work.
 */
#pragma once

#include "../../include/words.h"

enum claim_event {
	CLAIM_EVENT_PLANNED,        /* the decision allows it */
	CLAIM_EVENT_REFUSED,        /* the decision does not */
	CLAIM_EVENT_STARTED,        /* the plan was sent to the executor */
	CLAIM_EVENT_DONE,           /* the plan (of a claim, or of a release with its proof) is done */
	CLAIM_EVENT_UNDONE,         /* it failed, and the host is as it was */
	CLAIM_EVENT_BROKEN,         /* it failed, and the host is not as it was: no reset, not restored */
	CLAIM_EVENT_HELD_BY_OTHERS, /* a release found a holder */
	CLAIM_EVENT_OVERDUE,        /* the deadline of a plan passed */
	CLAIM_EVENT_ACKNOWLEDGED,   /* the client has its FDs */
	CLAIM_EVENT_LEASE_ENDED,    /* released, lease FD closed, or never acknowledged */
	CLAIM_EVENT_HOLDER_GONE,    /* what a lingering claim waited for */
	CLAIM_EVENT_UNPLUGGED,      /* a device of it is gone */
	CLAIM_EVENT_OPENED,         /* the operator opens a quarantine */
	CLAIM_EVENT_RESUMED,        /* its client takes up again what a restart let linger */
	CLAIM_EVENT_INTERRUPTED, /* the worker of its plan is gone: it is unknown how far it came, and nothing runs any
				    more */
	CLAIM_EVENT_COUNT,
};

const char *claim_event_to_string(enum claim_event event);
/* The state after the event, or -EINVAL where the event can't happen in that state. Changes nothing. */
int claim_state_step(enum claim_state state, enum claim_event event);
