/* Devices: names, and what device_is_sane() must not let through (SR-48, SR-49). */
#include "fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void test_addresses(void **state)
{
	static const char *const valid[] = {
		"0000:00:00.0", "0000:01:1f.7", "abcd:ff:00.3", "10000:01:00.0", "ffffffff:00:00.0",
	};
	static const char *const invalid[] = {
		"",
		"0000",
		"01:00.0",
		"0000:01:00",
		"0000:01:00.",
		"0000:01:00.8",
		"0000:01:20.0",
		"0000:1:00.0",
		"000:01:00.0",
		"00000:01:00.0",
		"123456789:01:00.0",
		"0000:01:00.0 ",
		" 0000:01:00.0",
		"0000:0A:00.0",
		"0000:0g:00.0",
		"0000.01:00.0",
		"0000:01:00.0/..",
		"0000:01:00:0",
		"0000:01:00.00",
		"ABCD:01:00.0",
		"../../etc/passwd",
	};

	for (size_t i = 0; i < COUNT(valid); i++)
		assert_true(pci_address_is_valid(valid[i]));
	for (size_t i = 0; i < COUNT(invalid); i++)
		if (pci_address_is_valid(invalid[i]))
			fail_msg("%s is taken for an address", invalid[i]);
}

static void test_normalise(void **state)
{
	static const struct {
		const char *text, *form;
	} cases[] = {
		{ "01:00.0", "0000:01:00.0" },
		{ "0000:01:00.0", "0000:01:00.0" },
		{ "0A:1F.7", "0000:0a:1f.7" },
		{ "ABCD:EF:00.1", "abcd:ef:00.1" },
		{ "10000:01:00.0", "10000:01:00.0" },
		{ "1:00.0", NULL },
		{ "", NULL },
		{ "0000:01:00.9", NULL },
		{ "01:00", NULL },
		{ "01:00.0x", NULL },
		{ "0000:0000:01:00.0", NULL },
		{ "xyz", NULL },
		{ "00000:01:00.0", NULL },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char out[DEVICE_NAME_MAX] = "untouched";

		assert_int_equal(pci_address_normalise(cases[i].text, out), cases[i].form ? 0 : -EINVAL);
		assert_string_equal(out, cases[i].form ? cases[i].form : "untouched");
		assert_true(!cases[i].form || pci_address_is_valid(out));
	}
}

static void test_names_of_any_kind(void **state)
{
	static const char *const invalid[] = {
		"", ".", "..", "0000:01:00.0/x", "../0000:01:00.0", "0000:01:00.0 ", "0000:01:00.0\n", "pool:x", "lo",
	};
	char out[DEVICE_NAME_MAX] = "untouched", longer[DEVICE_NAME_MAX + 1];

	memset(longer, '0', sizeof longer);
	longer[sizeof longer - 1] = '\0';
	assert_true(device_name_is_valid("0000:01:00.0"));
	assert_false(device_name_is_valid(longer));
	for (size_t i = 0; i < COUNT(invalid); i++) {
		if (device_name_is_valid(invalid[i]))
			fail_msg("%s is taken for a name", invalid[i]);
		assert_int_equal(device_name_complete(invalid[i], out), -EINVAL);
		assert_string_equal(out, "untouched");
	}
	assert_int_equal(device_name_complete("01:00.0", out), 0);
	assert_string_equal(out, "0000:01:00.0");
	assert_int_equal(device_name_complete(out, longer), 0);
	assert_string_equal(longer, "0000:01:00.0");
}

static void test_traits(void **state)
{
	struct device device = device_of("0000:01:00.0", -1, "e1000"), other = device_of("0000:02:00.0", 1, "");

	assert_true(device_is_pci(&device) && device_lacks_group(&device) && !device_is_isolated(&device));
	assert_int_equal(device_claimed_group(&device), -1);
	assert_false(device_shares_group(&device, &device));
	device.group = 1;
	assert_true(device_is_isolated(&device) && !device_lacks_group(&device));
	assert_true(device_shares_group(&device, &other));
	device.no_iommu = 1;
	assert_false(device_is_isolated(&device));
	assert_true(device_can_be_reset(&device) && device_is_moved(&device));
	device.pci.reset_methods = 0;
	assert_false(device_can_be_reset(&device));
	for (unsigned mode = 0; mode < DELIVERY_MODE_COUNT; mode++)
		assert_true(device_is_delivered(&device, (enum delivery_mode)mode, INTERFACE_GROUP));
}

static void test_driver_names(void **state)
{
	char longest[DRIVER_NAME_MAX], longer[DRIVER_NAME_MAX + 1];

	memset(longest, 'a', sizeof longest);
	longest[sizeof longest - 1] = '\0';
	memset(longer, 'a', sizeof longer);
	longer[sizeof longer - 1] = '\0';
	assert_true(driver_name_is_valid("vfio-pci", false));
	assert_true(driver_name_is_valid("snd_hda_intel", false));
	assert_true(driver_name_is_valid("a.b+c", false));
	assert_true(driver_name_is_valid(longest, false));
	assert_false(driver_name_is_valid(longer, false));
	assert_true(driver_name_is_valid("", true));
	assert_false(driver_name_is_valid("", false));
	assert_false(driver_name_is_valid(".", false));
	assert_false(driver_name_is_valid("..", false));
	assert_false(driver_name_is_valid("a/b", false));
	assert_false(driver_name_is_valid("a b", false));
	assert_false(driver_name_is_valid("a\n", false));
	assert_false(driver_name_is_valid("tr\xc3\xa4ge", false));
}

static void test_reset_methods(void **state)
{
	static const char *const names[] = { "device_specific", "acpi", "flr", "af_flr", "pm", "bus", "cxl_bus" };

	for (unsigned i = 0; i < COUNT(names); i++) {
		assert_int_equal(reset_method_from_string(names[i]), 1 << i);
		assert_string_equal(reset_method_to_string((enum reset_method)(1 << i)), names[i]);
	}
	assert_int_equal(reset_method_from_string("warp"), -EINVAL);
	assert_null(reset_method_to_string((enum reset_method)(1 << COUNT(names))));
	assert_null(reset_method_to_string((enum reset_method)3));
	assert_null(reset_method_to_string((enum reset_method)0));
}

static void fill(char *text, size_t size)
{
	memset(text, '0', size);
}

/* Each makes one thing wrong with a device that is right. */
static void bad_name(struct device *device)
{
	strcpy(device->name, "0000:01:00");
}
static void empty_name(struct device *device)
{
	device->name[0] = '\0';
}
static void long_name(struct device *device)
{
	fill(device->name, sizeof device->name);
}
static void bad_driver(struct device *device)
{
	strcpy(device->driver, "../x");
}
static void long_driver(struct device *device)
{
	fill(device->driver, sizeof device->driver);
}
static void bad_override(struct device *device)
{
	strcpy(device->driver_override, "a b");
}
static void long_override(struct device *device)
{
	fill(device->driver_override, sizeof device->driver_override);
}
static void bad_parent(struct device *device)
{
	strcpy(device->parent, "pci0000:00");
}
static void long_parent(struct device *device)
{
	fill(device->parent, sizeof device->parent);
}
static void bad_pf(struct device *device)
{
	strcpy(device->pci.physical_function, "x");
}
static void long_pf(struct device *device)
{
	fill(device->pci.physical_function, sizeof device->pci.physical_function);
}
static void bad_node(struct device *device)
{
	strcpy(device->vfio_node, "vfio");
}
static void other_node(struct device *device)
{
	strcpy(device->vfio_node, "vfio1/../x");
}
static void long_node(struct device *device)
{
	fill(device->vfio_node, sizeof device->vfio_node);
}
static void bad_kind(struct device *device)
{
	device->kind = device_kind_count;
}
static void bad_class(struct device *device)
{
	device->pci.class_code = 0x1000000;
}
static void bad_group(struct device *device)
{
	device->group = -2;
}
static void bad_numa(struct device *device)
{
	device->numa_node = -2;
}
static void huge_numa(struct device *device)
{
	device->numa_node = 1 << 20;
}
static void bad_reset(struct device *device)
{
	device->pci.reset_methods = 1 << 7;
}
static void bad_functions(struct device *device)
{
	device->pci.virtual_functions = 1;
}
static void huge_functions(struct device *device)
{
	device->pci.virtual_functions_max = 1 << 16;
}
static void bad_bridge(struct device *device)
{
	device->pci.bridge = 2;
}
static void bad_fixed(struct device *device)
{
	device->driver_fixed = 2;
}
static void bad_no_iommu(struct device *device)
{
	device->no_iommu = 2;
}
static void no_iommu_without_group(struct device *device)
{
	device->no_iommu = 1;
	device->group = -1;
}
static void bad_reserved(struct device *device)
{
	device->reserved[sizeof device->reserved - 1] = 1;
}

static void test_sanity(void **state)
{
	static void (*const spoil[])(struct device * device) = {
		bad_name,       empty_name,   long_name,
		bad_driver,     long_driver,  bad_override,
		long_override,  bad_parent,   long_parent,
		bad_pf,         long_pf,      bad_node,
		other_node,     long_node,    bad_kind,
		bad_class,      bad_group,    bad_numa,
		huge_numa,      bad_reset,    bad_functions,
		huge_functions, bad_bridge,   bad_fixed,
		bad_reserved,   bad_no_iommu, no_iommu_without_group,
	};
	struct device good = device_of("0000:01:00.0", 7, "e1000");

	assert_true(device_is_sane(&good));
	for (size_t i = 0; i < COUNT(spoil); i++) {
		struct device bad = good;

		spoil[i](&bad);
		if (device_is_sane(&bad))
			fail_msg("spoilt device %zu is taken for sane", i);
	}
}

static void test_sane_extremes(void **state)
{
	struct device device = device_of("0000:01:00.0", INT32_MAX, "");

	strcpy(device.vfio_node, "vfio4294967295");
	strcpy(device.parent, "0000:00:1c.0");
	strcpy(device.pci.physical_function, "0000:01:00.0");
	device.pci.class_code = 0xffffff;
	device.pci.reset_methods = 0x7f;
	device.pci.virtual_functions = device.pci.virtual_functions_max = UINT16_MAX;
	device.pci.bridge = device.driver_fixed = 1;
	assert_true(device_is_sane(&device));
	device.group = -1;
	assert_true(device_is_sane(&device));
}

static void test_on_vfio(void **state)
{
	struct device device = device_of("0000:01:00.0", 1, "vfio-pci");

	/* The driver's name proves nothing; vendors have their own. */
	assert_false(device_is_on_vfio(&device));
	strcpy(device.driver, "mlx5_vfio_pci");
	strcpy(device.vfio_node, "vfio3");
	assert_true(device_is_on_vfio(&device));
}

static void test_class_texts(void **state)
{
	assert_string_equal(device_class_to_text(0x020000), "Ethernet controller");
	assert_string_equal(device_class_to_text(0x028000), "network controller");
	assert_string_equal(device_class_to_text(0x010802), "NVMe controller");
	assert_string_equal(device_class_to_text(0x060400), "PCI bridge");
	assert_string_equal(device_class_to_text(0xff0000), "device");
	assert_string_equal(device_class_to_text(0), "device");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_normalise),
		cmocka_unit_test(test_names_of_any_kind),
		cmocka_unit_test(test_traits),
		cmocka_unit_test(test_driver_names),
		cmocka_unit_test(test_reset_methods),
		cmocka_unit_test(test_sanity),
		cmocka_unit_test(test_sane_extremes),
		cmocka_unit_test(test_on_vfio),
		cmocka_unit_test(test_class_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
