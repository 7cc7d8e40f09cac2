#include "pci_bridges.h"

#include "pci_device.h"

#include <string.h>

int pci_bridges_put(const struct host *host, struct topology *topology, const struct device *device,
		    char name[static DEVICE_NAME_MAX])
{
	memcpy(name, device->parent, DEVICE_NAME_MAX);
	while (name[0] && !topology_find(topology, name)) {
		struct device bridge;
		int error = pci_device_summary(host, name, &bridge);

		if (error == 0)
			error = topology_put(topology, &bridge);
		if (error < 0)
			return error;
		memcpy(name, bridge.parent, DEVICE_NAME_MAX);
	}
	return 0;
}
