/* Plans written down as text: PLAN(STEP(OPEN, CARD), STEP(IOAS, "", .number = 9)). */
#pragma once

#include "../../policy/plan/plan.h"

/* A step about a device has the identity 1. */
#define STEP(KIND, DEVICE, ...) \
	{ \
		.kind = STEP_##KIND, .device = DEVICE, .identity = sizeof(DEVICE) > 1, __VA_ARGS__ \
	}
#define PLAN(...) \
	{ \
		.step = (struct step[]){ __VA_ARGS__ }, \
		.count = sizeof((struct step[]){ __VA_ARGS__ }) / sizeof(struct step) \
	}
