/*
 * The bridges above devices, for policies that speak of them: read without their groups and drivers, waiting for
 * nobody.
 */
#pragma once

#include "../../../policy/model/topology.h"
#include "../os/sysfs.h"

/*
 * Puts the bridges above a device into the topology, as far as they are not there. 0, or -errno with the name of the
 * one that can't be read in name.
 */
int pci_bridges_put(const struct host *host, struct topology *topology, const struct device *device,
		    char name[static DEVICE_NAME_MAX]);
