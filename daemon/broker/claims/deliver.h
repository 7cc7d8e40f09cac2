/*
 * Doing what was decided for a claim, new or growing: ledger, journal, plan, lease, offer, acknowledgement, in this
 * order. Whatever goes wrong on the way is undone, and the asker told once.
 */
#pragma once

#include "operation.h"

/* Makes the claim that the operation was allowed. Its requester is answered with ANSWER_OFFER or ANSWER_FAILED. */
void deliver_begin_claim(struct operation *operation, const struct decision *decision);
/* The same for one more device of a claim that is held. */
void deliver_begin_addition(struct operation *operation, struct claim_runtime *runtime,
			    const struct decision *decision);
/* Ends an offer well: the claim is held. */
void deliver_acknowledge(struct claim_runtime *runtime);
/* Ends an offer badly: a new claim is released, an addition taken back. */
void deliver_reject(struct claim_runtime *runtime);
