/*
 * The steps of a claim, each with its undo. A step does or fails as a whole as far as it can; its undo makes the host
 * as it was before, whatever the step got done, and may be called when it did nothing.
 */
#pragma once

#include "plan_context.h"

struct claim_step {
	int (*make)(struct run *run, const struct step *step); /* 0, or -errno with run->why */
	int (*undo)(struct run *run, const struct step *step); /* the same; NULL: nothing to undo */
};

/* The functions of a kind of step; NULL: no step of a claim. */
const struct claim_step *claim_step_of(enum step_kind kind);
