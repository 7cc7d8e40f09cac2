/*
 * Runs a whole plan: a claim as one transaction, whose steps are undone backwards when one fails; a release step by
 * step, device by device. Knows the order of things, and nothing of how a step is made.
 */
#pragma once

#include "../base/wire.h"
#include "plan_state.h"

/*
 * Goes on with the plan. True: it is through, and the result (all zero before the first call) has the outcome, and on
 * failure the step, its kind and device, the errno, and one sentence. False: a call would have to wait; call again.
 * The header and the FDs are the caller's matter.
 */
bool engine_advance(struct plan_run *run, struct wire_result *result);
