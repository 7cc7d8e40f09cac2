/*
 * What a claim does to a device that giving it back does not undo, and what the reset between owners is worth.
 */
#pragma once

#include "judgement.h"

/* Of a device that leaves its driver. asked: as note_loss() takes it. */
void note_undone(struct judgement *judgement, const struct device *device, const struct asked *asked);
/* Whether an asked-for device can really be reset, what is gone then, and what the rule makes of it if not. */
void note_reset(struct judgement *judgement, const struct asked *asked);
