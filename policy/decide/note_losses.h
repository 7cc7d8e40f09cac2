/*
 * What the host loses with a device, in words for readers who have never heard of IOMMU groups.
 */
#pragma once

#include "judgement.h"

/* asked: the device itself or, of a lockout, the asked-for device whose group it is in. */
void note_loss(struct judgement *judgement, const struct device *device, const struct asked *asked, bool lockout);
/* What such a device is to people: "network card". */
const char *note_thing(const struct device *device);
