/*
 * What the host has behind its USB controllers, and keyboards and mice wherever they are. Disks and network adapters
 * are found as such elsewhere. Looks only.
 */
#pragma once

#include "../../../policy/model/device.h"
#include "../../../policy/model/use.h"
#include "../os/sysfs.h"

/* Adds the uses of the functions. 0, -ENOMEM, or -errno: incomplete. */
int survey_usb(const struct host *host, const struct device *device, size_t count, struct uses *uses);
