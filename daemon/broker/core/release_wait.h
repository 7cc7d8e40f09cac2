/*
 * Questions that wait until a claim is through with its release: who waits, for which claim and until when. What was
 * asked, and what becomes of it, is the business of whoever waits.
 */
#pragma once

#include "../system/turns.h"

#include "../../../policy/decide/decision.h"

struct waiting;

/* Lies in what waits. The first two are its owner's, the rest is waiting's own. */
struct waiter {
	void (*go_on)(void *context); /* once, from the loop: it waits no more */
	void *context;
	struct waiting *waiting;      /* NULL: it does not wait */
	struct waiter *next;
	char claim[CLAIM_ID_MAX];
	bool stirred;
	sd_event_source *timer;
};

int waiting_new(sd_event *event, struct turns *turns, struct waiting **out); /* 0, -ENOMEM, -errno */
struct waiting *waiting_free(struct waiting *waiting);  /* nobody is told any more */
/* Waits until waiting_stir() of that claim, or until (CLOCK_MONOTONIC microseconds). 0, or -errno: it does not wait. */
int waiting_add(struct waiting *waiting, struct waiter *waiter, const struct claim *claim, uint64_t until);
/* It waits no more and is not told. Nothing where it does not wait. */
void waiting_forget(struct waiter *waiter);
/* Something happened to this claim. Who waits for it goes on in a later turn of his own, first come, first served. */
void waiting_stir(struct waiting *waiting, const struct claim *claim);

/*
 * The claim to wait for where everything that stands against this decision is claims that are just being released;
 * NULL where anything else does, or nothing.
 */
const struct claim *waiting_helps(const struct ledger *ledger, const struct request *request,
				  const struct decision *decision);
