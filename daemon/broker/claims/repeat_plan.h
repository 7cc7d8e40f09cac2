/*
 * Plans that did not come to their end because their worker is gone: they are run again, three times in a row at
 * most, after pauses that grow. Every step of a release holds on a device where it was done before, so that this is as
 * good as once.
 */
#pragma once

#include "claim_runtime.h"

/*
 * Has again() called after a pause; until then the claim's runtime is in RUNTIME_PAUSES. False: it was run often
 * enough, or no timer could be set; nothing has changed then, and the caller gives up. The caller sets
 * holding->repeats to 0 when a plan has come to its end.
 */
bool repeat_plan_start(struct claim_runtime *runtime, void (*again)(struct claim_runtime *runtime));
/* The same for what is waited for as long as it takes: 1, 2, 4, ... seconds, doubled six times. */
bool repeat_plan_persist(struct claim_runtime *runtime, void (*again)(struct claim_runtime *runtime));
/* Ends the pause now. */
void repeat_plan_hasten(struct claim_runtime *runtime);
