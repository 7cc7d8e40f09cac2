/*
 * What the host loses with a device, said so that somebody understands it who has never heard of IOMMU groups.
 */
#pragma once

#include "judgement.h"

/* asked: the device itself or, of a lockout, the asked-for device whose group it is in. */
void note_loss(struct judgement *judgement, const struct device *device, const struct asked *asked, bool lockout);
/* What such a device is to people: "network card". */
const char *note_thing(const struct device *device);
