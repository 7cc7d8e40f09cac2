/*
 * Taking a claim up again whose client was left without a lease, or without a connection, by a restart: where the claim
 * goes on there is nothing to do; where it lingers, because the service manager did not keep its lease, it gets a new
 * one. A lease that its client ended himself is not given back to him.
 */
#pragma once

#include "claim_runtime.h"

/* Answers with ANSWER_RESUMED or ANSWER_WRONG_STATE; perhaps when a release that is under way has found somebody. */
void resume_start(struct claim_runtime *runtime, struct requester *requester);
