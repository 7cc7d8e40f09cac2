/*
 * What the host does with the network interfaces of PCI functions: default routes, addresses, links that are up, here
 * and in other network namespaces. Looks only.
 */
#pragma once

#include "../../../policy/model/device.h"
#include "../../../policy/model/use.h"
#include "../os/timed_call.h"
#include "../os/sysfs.h"

/*
 * Adds the uses of the functions. patience: looks for interfaces in other namespaces, too, which needs the surveyor's
 * capabilities; NULL: says only that they are in another. 0, -ENOMEM, or -errno: incomplete.
 */
int survey_network(const struct host *host, const struct device *device, size_t count, struct timed_call *timed_call,
		   struct uses *uses);
