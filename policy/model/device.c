#include "device.h"

#include "../util/text.h"

#include <errno.h>
#include <string.h>

static const char *const reset_methods[] = { "device_specific", "acpi", "flr", "af_flr", "pm", "bus", "cxl_bus" };
enum { RESET_METHOD_COUNT = sizeof reset_methods / sizeof *reset_methods };

const char *reset_method_to_string(enum reset_method method)
{
	for (unsigned i = 0; i < RESET_METHOD_COUNT; i++)
		if ((unsigned)method == 1u << i)
			return reset_methods[i];
	return NULL;
}

int reset_method_from_string(const char *text)
{
	for (unsigned i = 0; i < RESET_METHOD_COUNT; i++)
		if (strcmp(reset_methods[i], text) == 0)
			return 1 << i;
	return -EINVAL;
}

/* The value of a hexadecimal digit, or -1. */
static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* How many hexadecimal digits text begins with, counted up to max. */
static size_t count_digits(const char *text, size_t max)
{
	size_t count = 0;

	while (count < max && hex_digit(text[count]) >= 0)
		count++;
	return count;
}

/* True for "bb:dd.f" with dd up to 1f and f up to 7. */
static bool is_bus_device_function(const char *text)
{
	return count_digits(text, 2) == 2 && text[2] == ':' && count_digits(text + 3, 2) == 2 &&
	       hex_digit(text[3]) <= 1 && text[5] == '.' && text[6] >= '0' && text[6] <= '7' && text[7] == '\0';
}

/*
 * The length of the domain that an address begins with, 4 to 8 digits, or 0 where there is none: the kernel writes at
 * least four digits and more only where they are needed (Intel VMD: 10000:01:00.0).
 */
static size_t domain_length(const char *text)
{
	size_t digits = count_digits(text, 9);

	if (digits < 4 || digits > 8 || text[digits] != ':' || (digits > 4 && text[0] == '0'))
		return 0;
	return digits;
}

static bool has_upper_case(const char *text)
{
	for (; *text; text++)
		if (*text >= 'A' && *text <= 'F')
			return true;
	return false;
}

bool pci_address_is_valid(const char *text)
{
	size_t domain = domain_length(text);

	return domain > 0 && is_bus_device_function(text + domain + 1) && !has_upper_case(text);
}

int pci_address_normalise(const char *text, char out[static DEVICE_NAME_MAX])
{
	size_t domain = domain_length(text);

	if (!is_bus_device_function(domain > 0 ? text + domain + 1 : text))
		return -EINVAL;
	text_format(out, DEVICE_NAME_MAX, "%s%s", domain > 0 ? "" : "0000:", text);
	for (char *c = out; *c; c++)
		if (*c >= 'A' && *c <= 'F')
			*c = (char)(*c - 'A' + 'a');
	return 0;
}

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

/* True for "" and for "vfio" with a number. */
static bool vfio_node_is_valid(const char *text)
{
	if (text[0] == '\0')
		return true;
	return strncmp(text, "vfio", 4) == 0 && text[4] != '\0' && strspn(text + 4, "0123456789") == strlen(text + 4);
}

static bool ends_within(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

bool device_is_sane(const struct device *device)
{
	static const uint8_t zero[sizeof device->reserved];

	if (!ends_within(device->name, sizeof device->name) || !ends_within(device->driver, sizeof device->driver) ||
	    !ends_within(device->driver_override, sizeof device->driver_override) ||
	    !ends_within(device->parent, sizeof device->parent) ||
	    !ends_within(device->physical_function, sizeof device->physical_function) ||
	    !ends_within(device->vfio_node, sizeof device->vfio_node))
		return false;
	if (device->kind >= DEVICE_KIND_COUNT || !pci_address_is_valid(device->name))
		return false;
	if (!driver_name_is_valid(device->driver, true) || !driver_name_is_valid(device->driver_override, true))
		return false;
	if (device->parent[0] && !pci_address_is_valid(device->parent))
		return false;
	if (device->physical_function[0] && !pci_address_is_valid(device->physical_function))
		return false;
	if (!vfio_node_is_valid(device->vfio_node))
		return false;
	return device->class_code <= 0xffffff && device->group >= -1 && device->numa_node >= -1 &&
	       device->numa_node <= UINT16_MAX && device->reset_methods < 1u << RESET_METHOD_COUNT &&
	       device->virtual_functions_max <= UINT16_MAX &&
	       device->virtual_functions <= device->virtual_functions_max && device->bridge <= 1 &&
	       device->driver_fixed <= 1 && device->no_iommu <= 1 && (!device->no_iommu || device->group >= 0) &&
	       memcmp(device->reserved, zero, sizeof zero) == 0;
}

const char *device_class_to_text(uint32_t class_code)
{
	/* From the PCI code and ID assignment specification; the longest prefix that is listed counts. */
	static const struct {
		uint32_t prefix;
		unsigned digits;
		const char *text;
	} texts[] = {
		{ 0x0101, 4, "IDE controller" },
		{ 0x0104, 4, "RAID controller" },
		{ 0x0106, 4, "SATA controller" },
		{ 0x0107, 4, "SAS controller" },
		{ 0x0108, 4, "NVMe controller" },
		{ 0x01, 2, "storage controller" },
		{ 0x0200, 4, "Ethernet controller" },
		{ 0x0207, 4, "InfiniBand controller" },
		{ 0x02, 2, "network controller" },
		{ 0x0300, 4, "VGA controller" },
		{ 0x0302, 4, "3D controller" },
		{ 0x03, 2, "display controller" },
		{ 0x0403, 4, "audio device" },
		{ 0x04, 2, "multimedia device" },
		{ 0x05, 2, "memory controller" },
		{ 0x0600, 4, "host bridge" },
		{ 0x0601, 4, "ISA bridge" },
		{ 0x0604, 4, "PCI bridge" },
		{ 0x06, 2, "bridge" },
		{ 0x0700, 4, "serial controller" },
		{ 0x07, 2, "communication controller" },
		{ 0x08, 2, "system peripheral" },
		{ 0x09, 2, "input device" },
		{ 0x0b, 2, "processor" },
		{ 0x0c03, 4, "USB controller" },
		{ 0x0c05, 4, "SMBus" },
		{ 0x0c, 2, "serial bus controller" },
		{ 0x0d, 2, "wireless controller" },
		{ 0x10, 2, "encryption controller" },
		{ 0x11, 2, "signal processing controller" },
		{ 0x12, 2, "processing accelerator" },
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (class_code >> (24 - 4 * texts[i].digits) == texts[i].prefix)
			return texts[i].text;
	return "device";
}

bool device_is_on_vfio(const struct device *device)
{
	return device->vfio_node[0] != '\0';
}

bool device_is_on_host_driver(const struct device *device)
{
	return device->driver[0] != '\0' && !device_is_on_vfio(device);
}
