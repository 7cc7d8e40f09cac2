/*
 * Which PCI functions the host shows its console on, and which have a screen. Who draws on them shows in their device
 * nodes (survey_nodes.h). Looks only.
 */
#pragma once

#include "../../../policy/model/device.h"
#include "../../../policy/model/use.h"
#include "../os/sysfs.h"

/* Adds the uses of the functions. 0, -ENOMEM, or -errno: incomplete. */
int survey_display(const struct host *host, const struct device *device, size_t count, struct uses *uses);
