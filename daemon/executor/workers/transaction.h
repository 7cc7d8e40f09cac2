/*
 * Runs a whole plan: a claim as one transaction, whose steps are undone backwards when one fails; a release step by
 * step, device by device. Knows the order of things, and nothing of how a step is made.
 */
#pragma once

#include "plan_context.h"

/*
 * Both fill in the outcome, and on failure the step, its kind and device, the errno, and one sentence. The header and
 * the FDs are the caller's matter: they stay in the run, and are there only if the outcome is DONE.
 */
void transaction_claim(struct run *run, struct wire_result *result);
void transaction_release(struct run *run, struct wire_result *result);
