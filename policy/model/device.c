#include "device.h"

#include <string.h>

bool driver_name_is_valid(const char *text, bool empty)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.+-";
	size_t length = strnlen(text, DRIVER_NAME_MAX);

	if (length == 0)
		return empty;
	/* The name becomes a path component: these two would lead elsewhere. */
	if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return false;
	return length < DRIVER_NAME_MAX && strspn(text, alphabet) == length;
}

static bool ends_within(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static bool details_are_sane(const struct device *device)
{
	static const unsigned char zero[DEVICE_DETAILS_SIZE];
	const struct device_kind_row *kind = device_kind_of(device);

	return (!kind->details_fault || !kind->details_fault(device->details)) &&
	       memcmp(device->details + kind->details_size, zero, sizeof zero - kind->details_size) == 0;
}

bool device_is_sane(const struct device *device)
{
	static const uint8_t zero[sizeof device->reserved];

	if (!ends_within(device->name, sizeof device->name) || !ends_within(device->driver, sizeof device->driver) ||
	    !ends_within(device->driver_override, sizeof device->driver_override) ||
	    !ends_within(device->parent, sizeof device->parent) ||
	    !ends_within(device->vfio_node, sizeof device->vfio_node))
		return false;
	if (device->kind >= device_kind_count || !device_name_is_valid(device->name) ||
	    !device_kind_of(device)->name_is_valid(device->name))
		return false;
	if (!driver_name_is_valid(device->driver, true) || !driver_name_is_valid(device->driver_override, true))
		return false;
	if (device->parent[0] && !device_name_is_valid(device->parent))
		return false;
	if (device->vfio_node[0] && !device_kind_of(device)->node_is_valid(device->vfio_node))
		return false;
	return device->group >= -1 && device->numa_node >= -1 && device->numa_node <= UINT16_MAX &&
	       device->driver_fixed <= 1 && device->no_iommu <= 1 && (!device->no_iommu || device->group >= 0) &&
	       memcmp(device->reserved, zero, sizeof zero) == 0 && details_are_sane(device);
}

const struct device_kind_row *device_kind_of(const struct device *device)
{
	return device_kind_row(device->kind);
}

bool device_is_pci(const struct device *device)
{
	return device_kind_of(device) == &pci_kind;
}

const struct pci_function *device_pci(const struct device *device)
{
	static const struct pci_function none;

	return device_is_pci(device) ? &device->pci : &none;
}

bool device_is_bridge(const struct device *device)
{
	return device_pci(device)->bridge;
}

int32_t device_claimed_group(const struct device *device)
{
	return device_kind_of(device)->takes_group ? device->group : -1;
}

bool device_shares_group(const struct device *device, const struct device *other)
{
	return device_claimed_group(device) >= 0 && device_claimed_group(device) == device_claimed_group(other);
}

bool device_is_isolated(const struct device *device)
{
	return !device_kind_of(device)->takes_group || (device->group >= 0 && !device->no_iommu);
}

bool device_lacks_group(const struct device *device)
{
	return device_kind_of(device)->takes_group && device->group < 0;
}

bool device_can_be_reset(const struct device *device)
{
	const struct device_kind_row *kind = device_kind_of(device);

	return kind->can_be_reset && kind->can_be_reset(device->details);
}

bool device_is_delivered(const struct device *device, enum delivery_mode mode, enum vfio_interface interface)
{
	const struct device_kind_row *kind = device_kind_of(device);

	return kind->modes & 1u << mode && kind->interfaces & 1u << interface;
}

bool device_is_moved(const struct device *device)
{
	return device_kind_of(device)->claim_driver != NULL;
}

bool device_is_on_vfio(const struct device *device)
{
	return device->vfio_node[0] != '\0';
}

bool device_is_on_host_driver(const struct device *device)
{
	return device->driver[0] != '\0' && !device_is_on_vfio(device) && device_is_moved(device);
}
