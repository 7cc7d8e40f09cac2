/*
 * The steps of a release. None has an undo: one that fails says what is the matter, and the rest of that device is left
 * alone. Every step holds on a device that the claim never touched, and on one that is gone.
 */
#pragma once

#include "../base/wire.h"
#include "plan_state.h"

/* What a step means for the plan. */
struct release_verdict {
	enum wire_outcome
		outcome; /* WIRE_OUTCOME_DONE, WIRE_OUTCOME_HELD, WIRE_OUTCOME_NO_RESET, WIRE_OUTCOME_BROKEN */
	int error;       /* positive errno behind it; 0: none */
};

/*
 * Makes one step, with the verdict DONE before. 0: the verdict says what became of it, with run->why if it failed; a
 * step that is done may leave a note there, too. HOST_CALL_NOT_YET.
 */
int release_step_make(struct plan_run *run, const struct step *step, struct release_verdict *verdict);
/* What it means that the step fails with this -errno. */
void release_step_fail(struct plan_run *run, const struct step *step, int error, struct release_verdict *verdict);
