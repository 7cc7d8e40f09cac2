/*
 * What happens, told to whoever passes it on: the faces' events and signals, records, metrics. Listeners are declared
 * here, below them, and are told in the order in which they came; telling changes nothing, and none of them may end a claim
 * in the call.
 */
#pragma once

#include "../../policy/claim_state.h"
#include "../../policy/decision.h"

#include <stdint.h>

enum news_kind {
	NEWS_CLAIM,           /* claim, event, before: a step of its state (before == its state where only its devices did) */
	NEWS_CLAIM_GONE,      /* claim: for the last time, still whole */
	NEWS_OFFER_OVER,      /* claim: what was offered of it was acknowledged, or is about to be taken back: no FD of that is kept */
	NEWS_REVOCATION,      /* claim, usec: its client is asked to give it back within that time; message: why */
	NEWS_REVOCATION_STEP, /* claim, message, success: unmapped, stopped, or why that failed */
	NEWS_REFUSED,         /* subject, decision: a claim or an addition that was asked for in earnest; claim: that was to grow */
	NEWS_FAILED,          /* subject, message; claim where there is one: it was allowed, and the host did not let it be */
	NEWS_DEVICE,          /* device: it appeared or changed */
	NEWS_DEVICE_GONE,     /* device */
	NEWS_POLICY,          /* policy, success; message where it was refused; subject: who asked, NULL: a signal or the start */
	NEWS_KIND_COUNT,
};

struct news {
	enum news_kind kind;
	bool success;
	const struct claim *claim;
	enum claim_event event;
	enum claim_state before;
	const struct subject *subject;
	const struct decision *decision;
	const struct policy *policy;
	const char *device;
	const char *message;
	uint64_t usec;
};

struct news_listener {
	void (*hear)(void *context, const struct news *news);
	void *context;
	struct news_listener *next; /* newsroom::first */
};

/* All zero has no listeners. */
struct newsroom {
	struct news_listener *first;
};

/* The listener stays its owner's, who takes it out before it is gone. */
void newsroom_add(struct newsroom *newsroom, struct news_listener *listener);
void newsroom_remove(struct newsroom *newsroom, struct news_listener *listener);
void newsroom_tell(struct newsroom *newsroom, const struct news *news);
