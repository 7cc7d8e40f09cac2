/*
 * The steps of a release. None has an undo: one that fails says what is the matter, and the rest of that device is left
 * alone. Every step holds on a device that the claim never touched, and on one that is gone.
 */
#pragma once

#include "plan_context.h"

/*
 * Makes one step. Returns 0, or what it means for the plan: WIRE_OUTCOME_HELD, WIRE_OUTCOME_NO_RESET or
 * WIRE_OUTCOME_BROKEN, with *error set to the positive errno behind it (0: none) and run->why. 0 may come with a note
 * in run->why.
 */
int release_step_make(struct run *run, const struct step *step, int *error);
