/*
 * Reading devices from a sysfs that is hostile (SR-48): what makes no sense is left out, or looks as if it could not be
 * put back; no path outside of the tree is opened.
 */
#include "tree.h"

#include "../../daemon/executor/devices/pci_device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#define CARD "0000:00:04.0"
#define CARD_FOLDER "sys/devices/pci0000:00/" CARD

static struct tree tree;

static int begin(void **state)
{
	tree_begin(&tree);
	tree_device(&tree, CARD, "0x1234", "0x11e8", "0x00ff00");
	return 0;
}

static int end(void **state)
{
	tree_end(&tree);
	return 0;
}

static struct device read_card(void)
{
	struct device device;

	assert_int_equal(pci_device_device(&tree.host, CARD, NULL, &device), 0);
	assert_true(device_is_sane(&device));
	return device;
}

/* The device can't be read, with this error, and the output stays as it was. */
static void assert_unreadable(int error)
{
	struct device device, before;

	memset(&device, 0x5a, sizeof(device));
	before = device;
	assert_int_equal(pci_device_device(&tree.host, CARD, NULL, &device), error);
	assert_memory_equal(&device, &before, sizeof(device));
}

static void plain_device(void **state)
{
	struct device device = read_card();

	assert_string_equal(device.name, CARD);
	assert_int_equal(device.pci.vendor, 0x1234);
	assert_int_equal(device.pci.device, 0x11e8);
	assert_int_equal(device.pci.class_code, 0x00ff00);
	assert_int_equal(device.group, 7);
	assert_int_equal(device.numa_node, -1);
	assert_string_equal(device.driver, "");
	assert_string_equal(device.driver_override, "");
	assert_string_equal(device.parent, "");
	assert_string_equal(device.vfio_node, "");
	assert_int_equal(device.pci.reset_methods, 0);
	assert_false(device.pci.bridge);
	assert_false(device.driver_fixed);
	assert_int_not_equal(device.identity, 0);
}

static void all_attributes(void **state)
{
	struct device device;

	tree_driver(&tree, CARD, "vfio-pci");
	tree_file(&tree, "vfio-pci\n", CARD_FOLDER "/driver_override");
	tree_file(&tree, "511:0\n", CARD_FOLDER "/vfio-dev/vfio12/dev");
	tree_file(&tree, "flr bus something_new\n", CARD_FOLDER "/reset_method");
	tree_file(&tree, "1\n", CARD_FOLDER "/numa_node");
	tree_file(&tree, "4\n", CARD_FOLDER "/sriov_totalvfs");
	tree_link(&tree, "../0000:00:04.1", CARD_FOLDER "/virtfn0");
	tree_link(&tree, "../0000:00:04.2", CARD_FOLDER "/virtfn1");
	device = read_card();
	assert_string_equal(device.driver, "vfio-pci");
	assert_string_equal(device.driver_override, "vfio-pci");
	assert_string_equal(device.vfio_node, "vfio12");
	assert_int_equal(device.pci.reset_methods, RESET_METHOD_FLR | RESET_METHOD_BUS);
	assert_int_equal(device.numa_node, 1);
	assert_int_equal(device.pci.virtual_functions, 2);
	assert_int_equal(device.pci.virtual_functions_max, 4);
	assert_false(device.driver_fixed);
}

/* A group that VFIO made while its no-IOMMU mode was on is told by its name, whatever that mode is by now. */
static void group_without_iommu(void **state)
{
	assert_false(read_card().no_iommu);
	tree_file(&tree, "vfio-noiommu\n", "sys/kernel/iommu_groups/7/name");
	assert_true(read_card().no_iommu);
	tree_file(&tree, "something else\n", "sys/kernel/iommu_groups/7/name");
	assert_false(read_card().no_iommu);
}

static void relations(void **state)
{
	struct device device;

	tree_link(&tree, "../../../devices/pci0000:00/0000:00:1e.0/" CARD, "sys/bus/pci/devices/" CARD);
	tree_link(&tree, "../0000:00:03.0", CARD_FOLDER "/physfn");
	tree_file(&tree, "1\n", CARD_FOLDER "/secondary_bus_number");
	tree_link(&tree, "../" CARD, "sys/devices/pci0000:00/0000:00:1e.0/" CARD);
	device = read_card();
	assert_string_equal(device.parent, "0000:00:1e.0");
	assert_string_equal(device.pci.physical_function, "0000:00:03.0");
	assert_true(device.pci.bridge);
}

static void unknown_device(void **state)
{
	struct device device;

	assert_int_equal(pci_device_device(&tree.host, "0000:00:05.0", NULL, &device), -ENOENT);
	assert_int_equal(pci_device_device(&tree.host, "../../../etc", NULL, &device), -ENOENT);
	assert_int_equal(pci_device_device(&tree.host, "", NULL, &device), -ENOENT);
}

static void bad_numbers(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		"0x",
		"0x12345\n",
		"-1\n",
		"0x12 \n",
		" 0x12\n",
		"0x12\n0x13\n",
		"0X12\n",
		"0xAB\n",
		"99999999999999999999999\n",
		"0x1\x7f\n",
		"4660\x01\n",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		tree_file(&tree, bad[i], CARD_FOLDER "/vendor");
		assert_unreadable(-EBADMSG);
	}
	tree_file(&tree, "0x1234\n", CARD_FOLDER "/vendor");
	tree_file(&tree, "0x1000000\n", CARD_FOLDER "/class");
	assert_unreadable(-EBADMSG);
}

static void endless_attribute(void **state)
{
	char text[8192];

	memset(text, '1', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	tree_file(&tree, text, CARD_FOLDER "/vendor");
	assert_unreadable(-EBADMSG);
}

static void bad_group(void **state)
{
	static const char *const bad[] = { "../x", "../-1", "../99999999999", "..", "../7 8" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		tree_link(&tree, bad[i], CARD_FOLDER "/iommu_group");
		assert_unreadable(-EBADMSG);
	}
	tree_remove(&tree, CARD_FOLDER "/iommu_group");
	assert_int_equal(read_card().group, -1);
}

/* A driver whose name can't be carried must not make the device look free. */
static void strange_driver(void **state)
{
	struct device device;

	tree_link(&tree, "../../../bus/pci/drivers/a driver; with blanks", CARD_FOLDER "/driver");
	device = read_card();
	assert_string_equal(device.driver, "a_driver__with_blanks");
	assert_true(device.driver_fixed);
	tree_link(&tree, "../../../bus/pci/drivers/evil\nname", CARD_FOLDER "/driver");
	assert_unreadable(-EBADMSG);
	tree_link(&tree, "../../../bus/pci/drivers/..", CARD_FOLDER "/driver");
	assert_unreadable(-EBADMSG);
}

static void fixed_driver(void **state)
{
	tree_driver(&tree, CARD, "intel_scu");
	assert_false(read_card().driver_fixed);
	tree_remove(&tree, "sys/bus/pci/drivers/intel_scu/bind");
	assert_true(read_card().driver_fixed);
}

static void strange_override(void **state)
{
	static const char *const bad[] = { "a b\n", "../x\n", "x\ny\n", "\x1b[31m\n" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		tree_file(&tree, bad[i], CARD_FOLDER "/driver_override");
		struct device device = read_card();

		assert_string_equal(device.driver_override, "");
		assert_true(device.driver_fixed);
	}
}

static void strange_nodes(void **state)
{
	static const char *const bad[] = { "vfio", "vfiox", "vfio1x", "mdev0", "vfio0x1", "vfio12345678901234567890" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		tree_file(&tree, "1:1\n", CARD_FOLDER "/vfio-dev/%s/dev", bad[i]);
		assert_string_equal(read_card().vfio_node, "");
	}
}

/* SR-51: a link that leads out of the tree is not followed, wherever it stands. */
static void links_out_of_the_tree(void **state)
{
	struct device device;
	char outside[128];

	tree_file(&tree, "0x1234\n", "outside/vendor");
	tree_file(&tree, "0x11e8\n", "outside/device");
	tree_file(&tree, "0x00ff00\n", "outside/class");
	tree_link(&tree, "../../../../../outside", "sys/bus/pci/devices/0000:00:05.0");
	assert_int_equal(pci_device_device(&tree.host, "0000:00:05.0", NULL, &device), -EXDEV);
	snprintf(outside, sizeof(outside), "%s/outside", tree.root);
	tree_link(&tree, outside, "sys/bus/pci/devices/0000:00:05.0");
	assert_int_equal(pci_device_device(&tree.host, "0000:00:05.0", NULL, &device), -EXDEV);
	tree_link(&tree, "../../../../outside/vendor", CARD_FOLDER "/vendor");
	assert_true(pci_device_device(&tree.host, CARD, NULL, &device) < 0);
}

/* H-07, SR-52: another device under the same address has another identity. */
static void identity_of_a_successor(void **state)
{
	struct device before = read_card(), after;
	int folder = pci_device_open(&tree.host, CARD);
	uint64_t identity;

	assert_true(folder >= 0);
	assert_int_equal(pci_device_identity(folder, &identity), 0);
	assert_int_equal(identity, before.identity);
	tree_remove(&tree, CARD_FOLDER);
	assert_true(pci_device_is_gone(folder));
	assert_unreadable(-ENOENT);
	/* Something else takes the inode that was freed. */
	tree_file(&tree, "", "sys/placeholder/x");
	tree_device(&tree, CARD, "0x1234", "0x11e8", "0x00ff00");
	after = read_card();
	assert_int_not_equal(after.identity, before.identity);
	assert_true(pci_device_is_gone(folder));
	close(folder);
}

static void members(void **state)
{
	char name[4][DEVICE_NAME_MAX];

	tree_device(&tree, "0000:00:04.1", "0x8086", "0x100e", "0x020000");
	assert_int_equal(pci_device_members(&tree.host, 7, name, 4), 2);
	assert_string_equal(name[0], CARD);
	assert_string_equal(name[1], "0000:00:04.1");
	assert_int_equal(pci_device_members(&tree.host, 7, name, 1), -E2BIG);
	assert_int_equal(pci_device_members(&tree.host, 8, name, 4), -ENOENT);
	/* A member that can't be named can't be locked out on anybody's word. */
	tree_link(&tree, "../../../../devices/platform/x", "sys/kernel/iommu_groups/7/devices/x");
	assert_int_equal(pci_device_members(&tree.host, 7, name, 4), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(plain_device, begin, end),
		cmocka_unit_test_setup_teardown(all_attributes, begin, end),
		cmocka_unit_test_setup_teardown(group_without_iommu, begin, end),
		cmocka_unit_test_setup_teardown(relations, begin, end),
		cmocka_unit_test_setup_teardown(unknown_device, begin, end),
		cmocka_unit_test_setup_teardown(bad_numbers, begin, end),
		cmocka_unit_test_setup_teardown(endless_attribute, begin, end),
		cmocka_unit_test_setup_teardown(bad_group, begin, end),
		cmocka_unit_test_setup_teardown(strange_driver, begin, end),
		cmocka_unit_test_setup_teardown(fixed_driver, begin, end),
		cmocka_unit_test_setup_teardown(strange_override, begin, end),
		cmocka_unit_test_setup_teardown(strange_nodes, begin, end),
		cmocka_unit_test_setup_teardown(links_out_of_the_tree, begin, end),
		cmocka_unit_test_setup_teardown(identity_of_a_successor, begin, end),
		cmocka_unit_test_setup_teardown(members, begin, end),
	};

	return cmocka_run_group_tests_name("inspect", tests, NULL, NULL);
}
