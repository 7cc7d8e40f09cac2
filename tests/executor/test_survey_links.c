/*
 * What goes through network interfaces, on a fake machine: addresses, and routes over whatever is on top of them.
 */
#include "surveyed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#define NIC "0000:00:03.0"
#define ROUTE_HEADING "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
#define FIB_TRIE \
	"Main:\n" \
	"  +-- 0.0.0.0/0 3 0 5\n" \
	"     |-- 0.0.0.0\n" \
	"        /0 universe UNICAST\n" \
	"     +-- 10.0.2.0/24 2 0 2\n" \
	"        |-- 10.0.2.0\n" \
	"           /24 link UNICAST\n" \
	"        |-- 10.0.2.15\n" \
	"           /32 host LOCAL\n" \
	"     |-- 127.0.0.1\n" \
	"        /32 host LOCAL\n" \
	"Local:\n" \
	"        |-- 10.0.2.15\n" \
	"           /32 host LOCAL\n"

static struct tree tree;

static int begin(void **state)
{
	tree_begin(&tree);
	tree_device(&tree, NIC, "0x8086", "0x100e", "0x020000");
	tree_driver(&tree, NIC, "e1000");
	tree_interface(&tree, NIC, "eth0", "0x1003");
	tree_file(&tree, "", "proc/1/mountinfo");
	return 0;
}

static int end(void **state)
{
	surveyed_end();
	tree_end(&tree);
	return 0;
}

/* An interface of no hardware, on top of another one. */
static void put_on(const char *below, const char *name)
{
	char target[128];

	snprintf(target, sizeof(target), "../../devices/virtual/net/%s", name);
	tree_file(&tree, "0x1003\n", "sys/devices/virtual/net/%s/flags", name);
	tree_link(&tree, target, "sys/class/net/%s", name);
	if (below)
		tree_link(&tree, "x", "sys/devices/%s/upper_%s", below, name);
}

static void addresses(void **state)
{
	tree_file(&tree, FIB_TRIE, "proc/1/net/fib_trie");
	/* Of two networks that have the address, the narrower one. */
	tree_file(&tree,
		  ROUTE_HEADING "eth9\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0\n"
				"eth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n",
		  "proc/1/net/route");
	tree_file(&tree,
		  "fe80000000000000505400fffe123456 02 40 20 80     eth0\n"
		  "20010db8000000000000000000000001 02 40 00 80     eth0\n"
		  "00000000000000000000000000000001 01 80 10 80       lo\n",
		  "proc/1/net/if_inet6");
	assert_int_equal(survey(&tree, NIC), 0);
	assert_int_equal(uses.count, 3);
	assert_use(0, USE_DRIVER, SEVERITY_IDLE, "e1000 is bound");
	assert_use(1, USE_ADDRESS, SEVERITY_DISRUPTIVE, "eth0 > address 10.0.2.15/24");
	assert_use(2, USE_ADDRESS, SEVERITY_DISRUPTIVE, "eth0 > address 2001:db8::1/64");
}

/* An address on a VLAN over a bridge, and the default route over it: the route first. */
static void through_bridge_and_vlan(void **state)
{
	put_on("pci0000:00/" NIC "/net/eth0", "br0");
	put_on("virtual/net/br0", "br0.7");
	tree_file(&tree, FIB_TRIE, "proc/1/net/fib_trie");
	tree_file(&tree,
		  ROUTE_HEADING "br0.7\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
				"br0.7\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n",
		  "proc/1/net/route");
	assert_int_equal(survey(&tree, NIC), 0);
	assert_int_equal(uses.count, 3);
	assert_use(1, USE_NETWORK_LINK, SEVERITY_FATAL, "eth0 > br0 > br0.7 > default route");
	assert_use(2, USE_ADDRESS, SEVERITY_DISRUPTIVE, "eth0 > br0 > br0.7 > address 10.0.2.15/24");
}

static void bridge_without_address(void **state)
{
	put_on("pci0000:00/" NIC "/net/eth0", "br0");
	assert_int_equal(survey(&tree, NIC), 0);
	assert_int_equal(uses.count, 2);
	assert_use(1, USE_NETWORK_LINK, SEVERITY_DISRUPTIVE, "eth0 > br0 is up");
}

/* The ports that the switch makes by itself are tied to it nowhere in sysfs; others are told apart by their kind. */
static void through_open_vswitch(void **state)
{
	put_on("pci0000:00/" NIC "/net/eth0", "ovs-system");
	put_on(NULL, "br-ex");
	tree_file(&tree, "INTERFACE=br-ex\nIFINDEX=7\n", "sys/devices/virtual/net/br-ex/uevent");
	put_on(NULL, "wg0");
	tree_file(&tree, "DEVTYPE=wireguard\nINTERFACE=wg0\n", "sys/devices/virtual/net/wg0/uevent");
	tree_file(&tree, ROUTE_HEADING "wg0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n",
		  "proc/1/net/route");
	assert_int_equal(survey(&tree, NIC), 0);
	assert_use(1, USE_NETWORK_LINK, SEVERITY_DISRUPTIVE, "eth0 > ovs-system is up");
	tree_file(&tree, ROUTE_HEADING "br-ex\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n",
		  "proc/1/net/route");
	assert_int_equal(survey(&tree, NIC), 0);
	assert_use(1, USE_NETWORK_LINK, SEVERITY_FATAL, "eth0 > ovs-system > br-ex > default route");
}

/* Two interfaces on top of each other are no way to anywhere. */
static void circle(void **state)
{
	put_on("pci0000:00/" NIC "/net/eth0", "a");
	put_on("virtual/net/a", "b");
	tree_link(&tree, "x", "sys/devices/virtual/net/b/upper_a");
	assert_int_equal(survey(&tree, NIC), 0);
	assert_int_equal(uses.count, 2);
	assert_true(use_is_sane(&uses.use[1]));
}

/* More VLANs than anybody will read: some are told, and it ends. */
static void thousand_vlans(void **state)
{
	char name[16], *routes = calloc(1000, 100), *end_of = routes;

	assert_non_null(routes);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "eth0.%d", i);
		put_on("pci0000:00/" NIC "/net/eth0", name);
		end_of += sprintf(end_of, "%s\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n", name);
	}
	tree_file(&tree, routes, "proc/1/net/route");
	free(routes);
	assert_int_equal(survey(&tree, NIC), 0);
	assert_int_equal(uses.count, 17);
	assert_int_equal(uses.use[1].severity, SEVERITY_FATAL);
}

/* What stands at another process's /sys is looked at only if it is a sysfs. */
static void false_sysfs(void **state)
{
	tree_remove(&tree, "sys/class/net/eth0");
	tree_link(&tree, "net:[1]", "proc/1/ns/net");
	tree_link(&tree, "net:[2]", "proc/42/ns/net");
	tree_link(&tree, "../..", "proc/42/root");
	tree_link(&tree, "/bin/true", "proc/42/exe");
	tree_file(&tree, "", "proc/42/fd/x");
	tree_file(&tree, "  eth0: 1 2 3\n", "proc/42/net/dev");
	tree_interface(&tree, NIC, "eth0", "0x1003");
	tree_remove(&tree, "sys/class/net");
	assert_int_equal(survey_with_processes(&tree, NIC, NULL), 0);
	assert_use(1, USE_NAMESPACE, SEVERITY_DISRUPTIVE, "its network interface is in another network namespace");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(addresses, begin, end),
		cmocka_unit_test_setup_teardown(through_bridge_and_vlan, begin, end),
		cmocka_unit_test_setup_teardown(bridge_without_address, begin, end),
		cmocka_unit_test_setup_teardown(through_open_vswitch, begin, end),
		cmocka_unit_test_setup_teardown(circle, begin, end),
		cmocka_unit_test_setup_teardown(thousand_vlans, begin, end),
		cmocka_unit_test_setup_teardown(false_sysfs, begin, end),
	};

	return cmocka_run_group_tests_name("survey of network links", tests, NULL, NULL);
}
