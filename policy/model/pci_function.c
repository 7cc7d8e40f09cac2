#include "pci_function.h"

#include "../util/json_fields.h"
#include "../util/json_write.h"
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

/* A name in vfio-dev/: "vfio" with a number. */
static bool is_vfio_node(const char *text)
{
	return strncmp(text, "vfio", 4) == 0 && text[4] != '\0' && strspn(text + 4, "0123456789") == strlen(text + 4);
}

static const char *find_fault(const void *details)
{
	static const uint8_t zero[sizeof(((struct pci_function *)0)->reserved)];
	const struct pci_function *function = details;
	const char *physical = function->physical_function;

	if (function->virtual_functions > function->virtual_functions_max)
		return "more virtual_functions than virtual_functions_max";
	if (!memchr(physical, '\0', sizeof function->physical_function) ||
	    (physical[0] && !pci_address_is_valid(physical)))
		return "its physical_function is no PCI address";
	if (function->class_code > 0xffffff || function->reset_methods >= 1u << RESET_METHOD_COUNT ||
	    function->virtual_functions_max > UINT16_MAX || function->bridge > 1 ||
	    memcmp(function->reserved, zero, sizeof zero) != 0)
		return "no PCI function can be like this";
	return NULL;
}

static bool has_reset_method(const void *details)
{
	return ((const struct pci_function *)details)->reset_methods != 0;
}

/* What is a bridge is seen by its class where the key bridge does not say. */
static void fill_in(const struct json_value *said, void *details)
{
	struct pci_function *function = details;
	struct json_value bridge;

	if (!json_value_member(said, "bridge", &bridge))
		function->bridge = function->class_code >> 8 == 0x0604;
}

static int read_reset_methods(const struct field *field, const struct json_value *value, void *out,
			      struct json_problem *problem)
{
	struct json_children children = json_value_children(value);
	struct json_value item;

	if (!json_object_is_type(value->object, json_type_array))
		return json_fields_refuse(value, false, problem, "expected an array of reset methods");
	while (json_children_next(&children, &item)) {
		int method = json_object_is_type(item.object, json_type_string)
				     ? reset_method_from_string(json_object_get_string(item.object))
				     : -EINVAL;

		if (method < 0)
			return json_fields_refuse(
				&item, false, problem,
				"expected one of device_specific, acpi, flr, af_flr, pm, bus, cxl_bus");
		*(uint32_t *)((char *)out + field->offset) |= (uint32_t)method;
	}
	return 0;
}

static struct json_object *write_reset_methods(const struct field *field, const void *in)
{
	uint32_t methods = *(const uint32_t *)((const char *)in + field->offset);
	struct json_object *array = json_make_array();

	for (uint32_t method = 1; method <= methods; method <<= 1)
		if (methods & method)
			json_add(array, json_make_string(reset_method_to_string((enum reset_method)method)));
	return array;
}

#define MEMBER(member) .offset = offsetof(struct pci_function, member)
#define NUMBER(member) .read = read_number32, .write = write_number32, MEMBER(member)
#define HEX16(member) .read = read_hex16, .write = write_hex16, MEMBER(member), .size = 4

static const struct field fields[] = {
	{ .key = "vendor_id", HEX16(vendor), .required = true },
	{ .key = "device_id", HEX16(device), .required = true },
	{ .key = "subsystem_vendor_id", HEX16(subsystem_vendor) },
	{ .key = "subsystem_device_id", HEX16(subsystem_device) },
	{ .key = "class", .read = read_hex32, .write = write_hex32, MEMBER(class_code), .size = 6, .required = true },
	{ .key = "physical_function",
	  .read = read_text,
	  .write = write_text,
	  MEMBER(physical_function),
	  .size = DEVICE_NAME_MAX,
	  .valid = pci_address_is_valid,
	  .wanted = "a full PCI address in lower case (0000:01:00.0)" },
	{ .key = "virtual_functions", NUMBER(virtual_functions), .min = 0, .max = UINT16_MAX },
	{ .key = "virtual_functions_max", NUMBER(virtual_functions_max), .min = 0, .max = UINT16_MAX },
	{ .key = "bridge", .read = read_bool8, .write = write_bool8, MEMBER(bridge) },
	{ .key = "reset_methods", .read = read_reset_methods, .write = write_reset_methods, MEMBER(reset_methods) },
};

const struct device_kind_row pci_kind = {
	.text = "pci",
	.name_alphabet = "0123456789abcdef:.",
	.name_is_valid = pci_address_is_valid,
	.name_complete = pci_address_normalise,
	.details_size = sizeof(struct pci_function),
	.details_fault = find_fault,
	.fields = fields,
	.field_count = sizeof fields / sizeof *fields,
	.fill_in = fill_in,
	.takes_group = true,
	.claim_driver = "vfio-pci",
	.can_be_reset = has_reset_method,
	.masters_bus = true,
	.modes = 1u << MODE_ATTACHED | 1u << MODE_OPEN | 1u << MODE_NODE | 1u << MODE_BROKERED,
	.interfaces = 1u << INTERFACE_IOMMUFD | 1u << INTERFACE_GROUP,
	.node_is_valid = is_vfio_node,
	.node_folder = "vfio/devices",
};
