/*
 * What happens, reported to those that pass it on: the faces' events and signals, records, metrics. Listeners are
 * declared here, below them, and are told in the order in which they came; telling changes nothing, and none of them
 * may end a claim in the call.
 */
#pragma once

#include "../../../policy/model/claim_state.h"
#include "../../../policy/decide/decide.h"

#include <stdint.h>

struct wire_result;

enum news_kind {
	/* claim, event, before: a step of its state (before == its state where only its devices did); usec: how long it
	 * was in the state before */
	NEWS_CLAIM,
	NEWS_CLAIM_GONE, /* claim: for the last time, still whole */
	NEWS_OFFER_OVER, /* claim: what was offered of it was acknowledged, or is about to be taken back: no FD of that
			    is kept */
	NEWS_CLAIM_ADOPTED, /* claim: an earlier run left it; before: its state on record; message: what becomes of it
			     */
	NEWS_GROWS,         /* claim, device: a plan that adds it begins */
	NEWS_OFFERED, /* claim: its descriptors go to its client; device: of an addition; usec: since it was asked for
		       */
	NEWS_REMOVED, /* claim, device: it was given back, and is the claim's no more */
	NEWS_ENDING,  /* claim: it is to be released; message: why; subject: who asked for that, NULL: nobody did */
	NEWS_REVOCATION, /* claim, usec: its client is asked to give it back within that time; message: why */
	/* claim, message, success: unmapped, stopped, or why that failed; stop: what was, or could not be, stopped */
	NEWS_REVOCATION_STEP,
	NEWS_DECIDED, /* subject, decision: of a plan, claim or addition; usec: how long it took to decide */
	NEWS_REFUSED, /* subject, decision: a claim or an addition that was asked for in earnest; claim: that was to
			 grow */
	/* message; the host, or the daemon, did not let be what the policy does. claim, or else subject; device of an
	 * addition or removal; decision, result: where there are any */
	NEWS_FAILED,
	NEWS_NOT_GRANTED, /* claim, device, message: the new policy would not grant it, it goes on */
	NEWS_DEVICE,      /* device: it appeared or changed */
	NEWS_DEVICE_GONE, /* device; claim: that has it, if any does */
	NEWS_NOT_READY,   /* device, message: the policy reserves it, and something keeps it from being claimed */
	NEWS_POLICY, /* policy, success; message where it was refused; subject: who asked, NULL: a signal or the start
		      */
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
	const struct wire_result *result;
	const char *device;
	const char *message;
	uint64_t usec;
	enum revoke_stop stop;
};

struct news_listener {
	void (*hear)(void *context, const struct news *news);
	void *context;
	struct news_listener *next; /* newsroom::first */
};

/* All zero has no listeners. */
struct newsroom {
	struct news_listener *first;
	bool closed;
};

/* The listener stays its owner's, who takes it out before it is gone. */
void newsroom_add(struct newsroom *newsroom, struct news_listener *listener);
void newsroom_remove(struct newsroom *newsroom, struct news_listener *listener);
void newsroom_tell(struct newsroom *newsroom, const struct news *news);
/* Report nothing from now on: this program exits. */
void newsroom_close(struct newsroom *newsroom);
