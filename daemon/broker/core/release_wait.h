/*
 * Questions that wait until a claim is through with its release: who waits, for which claim and until when. What was
 * asked, and what becomes of it, is the business of whoever waits.
 */
#pragma once

#include "../system/turns.h"

#include "../../../policy/decide/decision.h"

struct release_waits;

/* Lies in what waits. The first two are its owner's, the rest is waiting's own. */
struct waiter {
	void (*go_on)(void *context); /* once, from the loop: it waits no more */
	void *context;
	struct release_waits *waits; /* NULL: it does not wait */
	struct waiter *next;
	char claim[CLAIM_ID_MAX];
	bool stirred;
	sd_event_source *timer;
};

int release_wait_new(sd_event *event, struct turns *turns, struct release_waits **out); /* 0, -ENOMEM, -errno */
struct release_waits *release_wait_free(struct release_waits *waits);                   /* nobody is told any more */
/* Waits until release_wait_stir() of that claim, or until (CLOCK_MONOTONIC microseconds). 0, or -errno: it does not
 * wait. */
int release_wait_add(struct release_waits *waits, struct waiter *waiter, const struct claim *claim, uint64_t until);
/* It waits no more and is not told. Nothing where it does not wait. */
void release_wait_forget(struct waiter *waiter);
/* Something happened to this claim. Who waits for it goes on in a later turn of his own, first come, first served. */
void release_wait_stir(struct release_waits *waits, const struct claim *claim);

/*
 * The claim to wait for where everything that stands against this decision is claims that are just being released;
 * NULL where anything else does, or nothing.
 */
const struct claim *release_wait_helps(const struct ledger *ledger, const struct request *request,
				       const struct decision *decision);
