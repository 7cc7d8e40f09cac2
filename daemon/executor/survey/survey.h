/*
 * A survey: what the host does with devices now, and who holds them. Shared by the surveyor and by binders, which look
 * again before they act. Changes nothing.
 */
#pragma once

#include "../../../policy/model/use.h"
#include "../os/timed_call.h"
#include "../os/sysfs.h"

/*
 * Adds the uses of the devices, which were just inspected. processes: looks into all processes, too, for holders,
 * openers of disks, and mounts of other namespaces; that needs the surveyor's capabilities and patience (else NULL will
 * do). 0, or -errno: the survey is incomplete and must not be decided on.
 */
int survey_devices(const struct host *host, const struct device *device, size_t count, bool processes,
		   struct timed_call *timed_call, struct uses *uses);
