/*
 * What the machine itself has from PCI functions: TPM, management controller, watchdog, memory, sound, serial consoles.
 * Looks only.
 */
#pragma once

#include "../../../policy/model/device.h"
#include "../../../policy/model/use.h"
#include "../os/sysfs.h"

/* Adds the uses of the functions. 0, -ENOMEM, or -errno: incomplete. */
int survey_platform(const struct host *host, const struct device *device, size_t count, struct uses *uses);
