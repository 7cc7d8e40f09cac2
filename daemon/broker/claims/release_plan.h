/*
 * One plan of a release, for a whole claim or for a device of it: has the executor run it, and writes into the claim's
 * note what it found. Decides nothing.
 */
#pragma once

#include "claim_runtime.h"

/* Has the executor run a plan of a release. The context goes along as a copy, if the claim has one. 0 or -errno. */
int release_plan_run(struct claim_runtime *runtime, enum runtime_run run, const struct plan *plan,
		     const struct run_events *events);
/* Writes into the note why the plan did not come to its end. */
void release_plan_note(struct claim_runtime *runtime, const struct wire_result *result);
void release_plan_append_note(struct claim_runtime *runtime, const char *more);
void release_plan_note_unmapped(struct claim_runtime *runtime);
