/*
 * What events say of devices: one look for all events of a device; and what is being removed is so, however long sysfs
 * still shows it.
 */
#include "../../daemon/executor/workers/device_events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CARD "0000:01:02.0"
#define CARD_PATH "/devices/pci0000:00/0000:00:02.0/" CARD

static struct device_events events;

static int begin(void **state)
{
	events = (struct device_events){ .count = 0 };
	return 0;
}

static void note(const char *action, const char *subsystem, const char *path)
{
	device_events_note(&events, action, subsystem, path);
}

/* What is known of the card, and that it is the only one. */
static void assert_card(bool removed, const char *removed_node)
{
	assert_int_equal(events.count, 1);
	assert_string_equal(events.event[0].name, CARD);
	assert_int_equal(events.event[0].removed, removed);
	assert_string_equal(events.event[0].removed_node, removed_node);
}

/* An unbind that waits for the last close: the node goes first, and then there is no event for long. */
static void a_node_is_removed(void **state)
{
	note("remove", "vfio-dev", CARD_PATH "/vfio-dev/vfio1");
	assert_card(false, "vfio1");
	note("unbind", "pci", CARD_PATH);
	note("change", "pci", CARD_PATH);
	assert_card(false, "vfio1");
	note("add", "vfio-dev", CARD_PATH "/vfio-dev/vfio1");
	assert_card(false, "");
	note("bind", "pci", CARD_PATH);
	assert_card(false, "");
}

static void a_function_is_removed(void **state)
{
	note("remove", "vfio-dev", CARD_PATH "/vfio-dev/vfio1");
	note("unbind", "pci", CARD_PATH);
	note("remove", "pci", CARD_PATH);
	assert_card(true, "");
	/* Another one takes its place. */
	note("add", "pci", CARD_PATH);
	assert_card(false, "");
	note("bind", "pci", CARD_PATH);
	note("remove", "pci", CARD_PATH);
	note("change", "pci", CARD_PATH);
	assert_card(true, "");
}

static void many_functions(void **state)
{
	char path[64];

	for (unsigned i = 0; i < 2 * DEVICE_EVENTS_MAX; i++) {
		snprintf(path, sizeof(path), "/devices/pci0000:00/0000:00:%02x.%x", i / 2 / 8, i / 2 % 8);
		if (events.count < DEVICE_EVENTS_MAX)
			note(i % 2 ? "bind" : "add", "pci", path);
	}
	assert_int_equal(events.count, DEVICE_EVENTS_MAX);
	assert_string_equal(events.event[DEVICE_EVENTS_MAX - 1].name, "0000:00:07.7");
}

static void others_are_left_out(void **state)
{
	static const char *const paths[] = {
		"",
		"/",
		"pci",
		"/devices/pci0000:00",
		"/devices/pci0000:00/0000:00:02.0/",
		"/devices/pci0000:00/../0000:00:02.0/..",
		"/vfio-dev/vfio1",
		"/devices/virtual/vfio-dev/vfio1",
		CARD_PATH "/net/eth0",
		CARD_PATH "0/vfio-dev/vfio1",
		"/devices/0000:01:02.00000000000000000000000000000000000000000000000000000000000"
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		note("add", "pci", paths[i]);
		note("remove", "vfio-dev", paths[i]);
	}
	note("add", "net", CARD_PATH);
	note("add", NULL, CARD_PATH);
	note(NULL, "pci", CARD_PATH);
	note("add", "pci", NULL);
	assert_int_equal(events.count, 0);
	note("remove", "vfio-dev", CARD_PATH "/vfio-dev/vfio-with-a-name-that-no-kernel-gives-a-node");
	assert_card(false, "");
	note("remove", "vfio-dev", CARD_PATH "/vfio-dev/vfio1/power");
	assert_card(false, "vfio1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_node_is_removed, begin),
		cmocka_unit_test_setup(a_function_is_removed, begin),
		cmocka_unit_test_setup(many_functions, begin),
		cmocka_unit_test_setup(others_are_left_out, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
