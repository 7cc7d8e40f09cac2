/*
 * What the host does with the network interfaces of PCI functions: links that are up, and what goes through them. Looks
 * only, from the network namespace that it is in.
 */
#pragma once

#include "../../policy/use.h"
#include "sysfs.h"

/* Adds the uses of the functions. 0, -ENOMEM, or -errno: incomplete. */
int survey_network(const struct host *host, const struct device *device, size_t count, struct uses *uses);
