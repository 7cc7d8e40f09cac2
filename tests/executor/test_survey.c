/*
 * What a survey finds on a fake machine: links and routes, mounts through partitions, device mapper, multipath and loop
 * devices, swap, and nothing where there is nothing.
 */
#include "surveyed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#define NIC "0000:00:03.0"
#define DISK "0000:00:04.0"
#define DISK_FOLDER "0000:00:04.0/nvme/nvme0/nvme0n1"

static struct tree tree;

static int begin(void **state)
{
	tree_begin(&tree);
	tree_device(&tree, NIC, "0x8086", "0x100e", "0x020000");
	tree_device(&tree, DISK, "0x1b36", "0x0010", "0x010802");
	tree_file(&tree, "", "proc/1/mountinfo");
	return 0;
}

static int end(void **state)
{
	surveyed_end();
	tree_end(&tree);
	return 0;
}

static void unused(void **state)
{
	assert_int_equal(survey(&tree, NIC), 0);
	assert_int_equal(uses.count, 0);
	assert_int_equal(survey(&tree, DISK), 0);
	assert_int_equal(uses.count, 0);
}

static void driver_only(void **state)
{
	tree_driver(&tree, NIC, "e1000");
	tree_interface(&tree, NIC, "eth0", "0x1002");
	assert_int_equal(survey(&tree, NIC), 0);
	assert_int_equal(uses.count, 1);
	assert_use(0, USE_DRIVER, SEVERITY_IDLE, "e1000 is bound");
}

static void enabled_virtual_functions(void **state)
{
	tree_file(&tree, "4\n", "sys/devices/pci0000:00/" NIC "/sriov_totalvfs");
	tree_link(&tree, "../0000:00:03.1", "sys/devices/pci0000:00/" NIC "/virtfn0");
	assert_int_equal(survey(&tree, NIC), 0);
	assert_int_equal(uses.count, 1);
	assert_use(0, USE_VIRTUAL_FUNCTION, SEVERITY_DISRUPTIVE, "1 virtual function is enabled");
}

static void link_is_up(void **state)
{
	tree_driver(&tree, NIC, "e1000");
	tree_interface(&tree, NIC, "eth0", "0x1003");
	assert_int_equal(survey(&tree, NIC), 0);
	assert_int_equal(uses.count, 2);
	assert_use(1, USE_NETWORK_LINK, SEVERITY_DISRUPTIVE, "eth0 is up");
}

#define ROUTE_HEADING "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"

static void default_route(void **state)
{
	tree_driver(&tree, NIC, "e1000");
	tree_interface(&tree, NIC, "eth0", "0x1003");
	tree_file(&tree, ROUTE_HEADING "eth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n",
		  "proc/1/net/route");
	assert_int_equal(survey(&tree, NIC), 0);
	assert_use(1, USE_NETWORK_LINK, SEVERITY_DISRUPTIVE, "eth0 is up");
	tree_file(&tree, ROUTE_HEADING "eth0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n",
		  "proc/1/net/route");
	assert_int_equal(survey(&tree, NIC), 0);
	assert_use(1, USE_NETWORK_LINK, SEVERITY_FATAL, "eth0 > default route");
}

static void default_route_of_ipv6(void **state)
{
	tree_driver(&tree, NIC, "e1000");
	tree_interface(&tree, NIC, "eth0", "0x1003");
	/* The kernel's own entry that rejects what has no route is none. */
	tree_file(&tree,
		  "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
		  "00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n",
		  "proc/1/net/ipv6_route");
	assert_int_equal(survey(&tree, NIC), 0);
	assert_use(1, USE_NETWORK_LINK, SEVERITY_DISRUPTIVE, "eth0 is up");
	tree_file(&tree,
		  "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
		  "fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n",
		  "proc/1/net/ipv6_route");
	assert_int_equal(survey(&tree, NIC), 0);
	assert_use(1, USE_NETWORK_LINK, SEVERITY_FATAL, "eth0 > default route");
}

static void route_through_bond_and_bridge(void **state)
{
	tree_driver(&tree, NIC, "e1000");
	tree_interface(&tree, NIC, "eth0", "0x1003");
	tree_link(&tree, "../../../virtual/net/bond0", "sys/devices/pci0000:00/" NIC "/net/eth0/upper_bond0");
	tree_file(&tree, "0x1003\n", "sys/devices/virtual/net/bond0/flags");
	tree_link(&tree, "../br0", "sys/devices/virtual/net/bond0/upper_br0");
	tree_file(&tree, "0x1003\n", "sys/devices/virtual/net/br0/flags");
	tree_link(&tree, "../../devices/virtual/net/bond0", "sys/class/net/bond0");
	tree_link(&tree, "../../devices/virtual/net/br0", "sys/class/net/br0");
	tree_file(&tree, ROUTE_HEADING "br0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n",
		  "proc/1/net/route");
	assert_int_equal(survey(&tree, NIC), 0);
	assert_use(1, USE_NETWORK_LINK, SEVERITY_FATAL, "eth0 > bond0 > br0 > default route");
}

static void interface_elsewhere(void **state)
{
	tree_driver(&tree, NIC, "e1000");
	assert_int_equal(survey(&tree, NIC), 0);
	assert_int_equal(uses.count, 2);
	assert_use(1, USE_NAMESPACE, SEVERITY_DISRUPTIVE, "its network interface is in another network namespace");
	/* A function without a network driver has no interface to look for. */
	tree_driver(&tree, NIC, "virtio-pci");
	assert_int_equal(survey(&tree, NIC), 0);
	assert_int_equal(uses.count, 1);
	tree_link(&tree, "../../../../bus/virtio/drivers/virtio_net", "sys/devices/pci0000:00/" NIC "/virtio0/driver");
	assert_int_equal(survey(&tree, NIC), 0);
	assert_int_equal(uses.count, 2);
	tree_driver(&tree, NIC, "pci-stub");
	assert_int_equal(survey(&tree, NIC), 0);
	assert_int_equal(uses.count, 1);
}

static void make_disk(void)
{
	tree_driver(&tree, DISK, "nvme");
	tree_block(&tree, DISK_FOLDER, "259:0", false);
	tree_block(&tree, DISK_FOLDER "/nvme0n1p1", "259:1", true);
	tree_block(&tree, DISK_FOLDER "/nvme0n1p2", "259:2", true);
}

static void mounted_partition(void **state)
{
	make_disk();
	tree_file(&tree,
		  "22 1 259:1 / /srv\\040data rw,relatime shared:1 - ext4 /dev/nvme0n1p1 rw\n"
		  "23 1 0:5 / /dev rw - devtmpfs devtmpfs rw\n",
		  "proc/1/mountinfo");
	assert_int_equal(survey(&tree, DISK), 0);
	assert_int_equal(uses.count, 2);
	assert_use(1, USE_MOUNT, SEVERITY_DISRUPTIVE, "nvme0n1 > nvme0n1p1 > mounted on /srv data");
}

static void root_on_device_mapper(void **state)
{
	make_disk();
	tree_link(&tree, "../../../../../../../virtual/block/dm-0",
		  "sys/devices/pci0000:00/" DISK_FOLDER "/nvme0n1p2/holders/dm-0");
	tree_file(&tree, "254:0\n", "sys/devices/virtual/block/dm-0/dev");
	tree_link(&tree, "../../devices/virtual/block/dm-0", "sys/class/block/dm-0");
	tree_file(&tree,
		  "22 1 254:0 / / rw - ext4 /dev/mapper/root rw\n"
		  "23 1 254:0 / /srv rw - ext4 /dev/mapper/root rw\n",
		  "proc/1/mountinfo");
	assert_int_equal(survey(&tree, DISK), 0);
	assert_int_equal(uses.count, 3);
	assert_use(1, USE_MOUNT, SEVERITY_FATAL, "nvme0n1 > nvme0n1p2 > dm-0 > mounted on /");
	assert_use(2, USE_MOUNT, SEVERITY_DISRUPTIVE, "nvme0n1 > nvme0n1p2 > dm-0 > mounted on /srv");
}

static void vital_mounts(void **state)
{
	static const char *const vital[] = { "/", "/usr", "/boot", "/boot/efi", "/var", "/etc", "/home" };
	static const char *const others[] = { "/srv", "/home/alice", "/boot2", "/mnt", "/var/lib" };
	char line[256];

	make_disk();
	for (size_t i = 0; i < sizeof(vital) / sizeof(*vital); i++) {
		snprintf(line, sizeof(line), "22 1 259:0 / %s rw - ext4 /dev/nvme0n1 rw\n", vital[i]);
		tree_file(&tree, line, "proc/1/mountinfo");
		assert_int_equal(survey(&tree, DISK), 0);
		assert_int_equal(uses.use[1].severity, SEVERITY_FATAL);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		snprintf(line, sizeof(line), "22 1 259:0 / %s rw - ext4 /dev/nvme0n1 rw\n", others[i]);
		tree_file(&tree, line, "proc/1/mountinfo");
		assert_int_equal(survey(&tree, DISK), 0);
		assert_int_equal(uses.use[1].severity, SEVERITY_DISRUPTIVE);
	}
}

/* With native multipath the disk hangs on no controller, only a hidden path does. */
static void multipath_namespace(void **state)
{
	tree_block(&tree, "0000:00:04.0/nvme/nvme0/nvme0c0n1", "259:7", false);
	tree_file(&tree, "259:0\n", "sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/dev");
	tree_link(&tree, "../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1", "sys/class/block/nvme0n1");
	tree_file(&tree, "22 1 259:0 / / rw - ext4 /dev/nvme0n1 rw\n", "proc/1/mountinfo");
	assert_int_equal(survey(&tree, DISK), 0);
	assert_int_equal(uses.count, 1);
	assert_use(0, USE_MOUNT, SEVERITY_FATAL, "nvme0n1 > mounted on /");
}

static void strange_mount_point(void **state)
{
	make_disk();
	tree_file(&tree, "22 1 259:1 / /a\\033[31m\\012b rw - ext4 /dev/nvme0n1p1 rw\n", "proc/1/mountinfo");
	assert_int_equal(survey(&tree, DISK), 0);
	assert_use(1, USE_MOUNT, SEVERITY_DISRUPTIVE, "nvme0n1 > nvme0n1p1 > mounted on /a\\x1b[31m\\x0ab");
}

static void lines_that_are_none(void **state)
{
	make_disk();
	tree_file(&tree,
		  "\n22\n22 1 259:1 / /x\n22 1 259:1 / /x rw ext4 /dev/x rw\n22 1 259:x / /x rw - ext4 y rw\n"
		  "22 1 2591 / /x rw - ext4 y rw\n22 1 259:1 / /srv rw - ext4 /dev/nvme0n1p1 rw",
		  "proc/1/mountinfo");
	assert_int_equal(survey(&tree, DISK), 0);
	assert_int_equal(uses.count, 2);
	assert_use(1, USE_MOUNT, SEVERITY_DISRUPTIVE, "nvme0n1 > nvme0n1p1 > mounted on /srv");
}

static void swap_file(void **state)
{
	make_disk();
	tree_file(&tree, "22 1 259:1 / / rw - ext4 /dev/nvme0n1p1 rw\n23 22 259:2 / /srv rw - ext4 /dev/nvme0n1p2 rw\n",
		  "proc/1/mountinfo");
	tree_file(&tree,
		  "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
		  "/srv/a\\040swap                            file\t\t65532\t\t0\t\t-2\n",
		  "proc/swaps");
	assert_int_equal(survey(&tree, DISK), 0);
	assert_int_equal(uses.count, 4);
	assert_use(3, USE_SWAP, SEVERITY_FATAL, "nvme0n1 > nvme0n1p2 > swap file /srv/a swap");
}

/* A survey that can't see the mounts must not pass for one that saw none. */
static void mounts_unreadable(void **state)
{
	make_disk();
	tree_remove(&tree, "proc/1/mountinfo");
	assert_int_equal(survey(&tree, DISK), -ENOENT);
}

static void endless_holders(void **state)
{
	make_disk();
	tree_link(&tree, "x", "sys/devices/pci0000:00/" DISK_FOLDER "/holders/dm-0");
	tree_file(&tree, "254:0\n", "sys/devices/virtual/block/dm-0/dev");
	tree_link(&tree, "x", "sys/devices/virtual/block/dm-0/holders/dm-0");
	tree_link(&tree, "../../devices/virtual/block/dm-0", "sys/class/block/dm-0");
	assert_int_equal(survey(&tree, DISK), -ELOOP);
}

/* Devices on the same machine are told apart by the function that is nearest above them. */
static void nearest_function(void **state)
{
	tree_driver(&tree, NIC, "pcieport");
	tree_interface(&tree, NIC "/0000:01:00.0", "eth5", "0x1003");
	assert_int_equal(survey(&tree, NIC), 0);
	for (size_t i = 0; i < uses.count; i++)
		assert_int_not_equal(uses.use[i].kind, USE_NETWORK_LINK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(unused, begin, end),
		cmocka_unit_test_setup_teardown(driver_only, begin, end),
		cmocka_unit_test_setup_teardown(enabled_virtual_functions, begin, end),
		cmocka_unit_test_setup_teardown(link_is_up, begin, end),
		cmocka_unit_test_setup_teardown(default_route, begin, end),
		cmocka_unit_test_setup_teardown(default_route_of_ipv6, begin, end),
		cmocka_unit_test_setup_teardown(route_through_bond_and_bridge, begin, end),
		cmocka_unit_test_setup_teardown(interface_elsewhere, begin, end),
		cmocka_unit_test_setup_teardown(mounted_partition, begin, end),
		cmocka_unit_test_setup_teardown(root_on_device_mapper, begin, end),
		cmocka_unit_test_setup_teardown(vital_mounts, begin, end),
		cmocka_unit_test_setup_teardown(multipath_namespace, begin, end),
		cmocka_unit_test_setup_teardown(strange_mount_point, begin, end),
		cmocka_unit_test_setup_teardown(lines_that_are_none, begin, end),
		cmocka_unit_test_setup_teardown(swap_file, begin, end),
		cmocka_unit_test_setup_teardown(mounts_unreadable, begin, end),
		cmocka_unit_test_setup_teardown(endless_holders, begin, end),
		cmocka_unit_test_setup_teardown(nearest_function, begin, end),
	};

	return cmocka_run_group_tests_name("survey", tests, NULL, NULL);
}
