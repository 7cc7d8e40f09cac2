/*
 * Making claims and letting them grow: survey, decision, ledger, journal, plan, offer, acknowledgement, in this order.
 * Whatever goes wrong on the way is undone, and the asker told once.
 */
#pragma once

#include "holding.h"

/* Answers with ANSWER_PLAN. Changes nothing. subject: an operator asks for him; NULL: the requester asks for himself. */
void claiming_plan(struct registry *registry, struct requester *requester, const struct question *question,
		   const struct subject *subject);
/* Answers with ANSWER_OFFER, ANSWER_REFUSED or ANSWER_FAILED. */
void claiming_claim(struct registry *registry, struct requester *requester, const struct question *question);
/* The same for one more device of a claim that the requester owns and that is held. */
void claiming_add(struct registry *registry, struct requester *requester, struct holding *holding, const char *device);
/* Ends an offer well: the claim is held. */
void claiming_acknowledge(struct holding *holding);
/* Ends an offer badly: a new claim is released, an addition taken back. */
void claiming_reject(struct holding *holding);
/* The requester is gone: its question is dropped, unless the host is being changed already; then the outcome is. */
void claiming_abandon(struct registry *registry, struct requester *requester);
