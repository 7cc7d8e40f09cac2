/*
 * The steps of a claim, each with its undo. A step does or fails as a whole as far as it can; its undo makes the host
 * as it was before, whatever the step got done, and may be called when it did nothing.
 */
#pragma once

#include "plan_state.h"

struct claim_step {
	/* 0, HOST_CALL_NOT_YET, or -errno with run->why. */
	int (*make)(struct plan_run *run, const struct step *step);
	int (*undo)(struct plan_run *run, const struct step *step); /* the same; NULL: nothing to undo */
};

/* The functions of a kind of step; NULL: no step of a claim. */
const struct claim_step *claim_step_of(enum step_kind kind);
