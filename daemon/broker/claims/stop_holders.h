/*
 * What a rule lets be done to those who keep a revoked claim: the process that was found to hold it, or the unit that
 * this process runs in, is stopped. The executor checks both against its own policy and the process's own descriptors.
 */
#pragma once

#include "claim_runtime.h"

/*
 * Stops the holder that keeps the claim lingering (runtime->holder), if the claim was revoked and its rule says so.
 * True: it is being done, and done() is called when it is over, whatever came of it. False: nothing is to be done.
 */
bool stop_holders_start(struct claim_runtime *runtime, void (*done)(struct claim_runtime *runtime));
