/*
 * The form that a release plan has to have, whoever made it: only steps of a release, and no device reset or unbound
 * before it was asked to be proven free. Knows no policy: whatever it says by now, what was taken has to be put back.
 */
#pragma once

#include "kernel.h"
#include "plan.h"

/* context_passed: the claim's context came with the plan. True, or false with one sentence in why. */
bool release_is_sound(const struct plan *plan, const struct kernel_features *kernel, bool context_passed,
		      char why[static TEXT_MAX]);
