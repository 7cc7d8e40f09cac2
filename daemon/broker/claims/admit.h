/*
 * Questions for plans, claims and additions: waits for what they need to know of the host, has them decided, and has
 * what was allowed done (deliver.h).
 */
#pragma once

#include "claim_runtime.h"

/* Answers with ANSWER_PLAN. Changes nothing. subject: an operator asks for him; NULL: the requester asks for himself.
 */
void admit_plan(struct registry *registry, struct requester *requester, const struct question *question,
		const struct subject *subject);
/* Answers with ANSWER_OFFER, ANSWER_REFUSED or ANSWER_FAILED. */
void admit_new(struct registry *registry, struct requester *requester, const struct question *question);
/* The same for one more device of a claim that the requester owns and that is held. */
void admit_add(struct registry *registry, struct requester *requester, struct claim_runtime *runtime,
	       const char *device);
/* The requester is gone: its question is dropped, unless the host is being changed already; then the outcome is. */
void admit_abandon(struct registry *registry, struct requester *requester);
