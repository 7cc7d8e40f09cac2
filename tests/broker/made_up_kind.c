/*
 * A second kind of device, which no kernel has: one row and this file. Linked into a broker and a simulator in front of
 * the policy core, whose own list of kinds is left out then. Its devices are called made-0, made-1 and so on; they lock
 * nothing out, are never moved between drivers, and can't be reset.
 */
#include "../../policy/model/pci_function.h"

#include <string.h>

static bool is_made_up_name(const char *name)
{
	return strncmp(name, "made-", 5) == 0 && name[5] && strspn(name + 5, "0123456789") == strlen(name + 5);
}

static bool is_made_up_node(const char *name)
{
	return strncmp(name, "vfio", 4) == 0 && name[4] && strspn(name + 4, "0123456789") == strlen(name + 4);
}

static const struct device_kind_row made_up_kind = {
	.text = "made-up",
	.name_alphabet = "made-0123456789",
	.name_is_valid = is_made_up_name,
	.modes = 1u << MODE_ATTACHED | 1u << MODE_NODE,
	.interfaces = 1u << INTERFACE_IOMMUFD,
	.node_is_valid = is_made_up_node,
	.node_folder = "vfio/devices",
};

const struct device_kind_row *const device_kinds[] = {
	[DEVICE_PCI] = &pci_kind,
	&made_up_kind,
};
const uint32_t device_kind_count = sizeof(device_kinds) / sizeof(*device_kinds);
