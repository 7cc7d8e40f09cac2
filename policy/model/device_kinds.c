#include "device_kind.h"
#include "pci_function.h"

const struct device_kind_row *const device_kinds[] = {
	[DEVICE_PCI] = &pci_kind,
};
const uint32_t device_kind_count = sizeof device_kinds / sizeof *device_kinds;
