/* Object paths: as sd-bus encodes them, back to what they name, and nothing else. */
#include "../../daemon/broker/faces/bus/bus_path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include <cmocka.h>

static void check_device(const char *name)
{
	char path[BUS_PATH_MAX];
	struct bus_object_name object;
	char *theirs = NULL;

	assert_true(sd_bus_path_encode(BUS_ROOT "/device", name, &theirs) >= 0);
	assert_string_equal(bus_path_of_device(name, path), theirs);
	assert_true(sd_bus_object_path_is_valid(path));
	bus_path_parse(path, &object);
	assert_int_equal(object.node, BUS_NODE_DEVICE);
	assert_string_equal(object.name, name);
	free(theirs);
}

static void device_paths_are_those_of_sd_bus(void **state)
{
	char name[DEVICE_NAME_MAX];

	check_device("0000:01:00.0");
	check_device("83b8f4f2-509f-382f-3c1e-e6bfe0fa1001");
	check_device("wq0.1");
	check_device("a_b");
	for (int byte = 1; byte < 256; byte++) {
		snprintf(name, sizeof(name), "%cx%c", byte, byte);
		check_device(name);
	}
	/* The longest name that there is, each of its bytes written as three. */
	memset(name, '.', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	check_device(name);
}

static void every_object_has_one_path(void **state)
{
	static const char *const none[] = {
		"/",
		"/org",
		"/org/ioasid",
		"/org/ioasid1x",
		"/org/ioasid1/x",
		"/org/ioasid1/devices",
		"/org/ioasid1/device/_",
		"/org/ioasid1/device/_30000_3A01_3a00_2e0",
		"/org/ioasid1/device/_61",
		"/org/ioasid1/device/_00",
		"/org/ioasid1/device/a_",
		"/org/ioasid1/device/a_3",
		"/org/ioasid1/device/0000",
		"/org/ioasid1/device/a/b",
		"/org/ioasid1/group/01",
		"/org/ioasid1/group/x",
		"/org/ioasid1/group/_31",
		"/org/ioasid1/group/2147483648",
		"/org/ioasid1/group/99999999999",
		"/org/ioasid1/group/4294967296",
		"/org/ioasid1/claim/a_b",
		"/org/ioasid1/claim/a/b",
		"/org/ioasid1/claim/0123456789012345678901234567890123456789",
	};
	struct bus_object_name object;
	char path[300];

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		bus_path_parse(none[i], &object);
		if (object.node != BUS_NODE_NONE)
			fail_msg("%s names something", none[i]);
	}
	/* Longer than any name. */
	strcpy(path, "/org/ioasid1/device/");
	memset(path + strlen(path), 'a', 200);
	path[220] = '\0';
	bus_path_parse(path, &object);
	assert_int_equal(object.node, BUS_NODE_NONE);
}

static void groups_claims_and_folders(void **state)
{
	struct bus_object_name object;
	char path[BUS_PATH_MAX];

	bus_path_parse(bus_path_of_group(INT32_MAX, path), &object);
	assert_int_equal(object.node, BUS_NODE_GROUP);
	assert_int_equal(object.group, INT32_MAX);
	bus_path_parse(bus_path_of_group(0, path), &object);
	assert_int_equal(object.node, BUS_NODE_GROUP);
	assert_int_equal(object.group, 0);
	bus_path_parse(bus_path_of_claim("0123456789abcdef0123456789abcdef", path), &object);
	assert_int_equal(object.node, BUS_NODE_CLAIM);
	assert_string_equal(object.name, "0123456789abcdef0123456789abcdef");
	bus_path_parse("/org/ioasid1", &object);
	assert_int_equal(object.node, BUS_NODE_MANAGER);
	bus_path_parse("/org/ioasid1/claim", &object);
	assert_int_equal(object.node, BUS_NODE_FOLDER);
	assert_int_equal(object.below, BUS_NODE_CLAIM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(device_paths_are_those_of_sd_bus),
		cmocka_unit_test(every_object_has_one_path),
		cmocka_unit_test(groups_claims_and_folders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
