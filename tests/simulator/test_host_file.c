/* Host files: what the simulator makes of good ones, and what it says to bad ones, each a file named for its error. */
#include "../../daemon/simulator/host_file.h"
#include "../../daemon/simulator/simulated_kernel.h"
#include "../../policy/report/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* File, line, column, and how the message begins. */
static const struct {
	const char *file;
	unsigned line, column;
	const char *message;
} bad[] = {
	{ "name-missing", 3, 5, "devices[0]: missing key name" },
	{ "name-no-text", 3, 15, "devices[0].name: expected a full PCI address in lower case (0000:01:00.0)" },
	{ "name-short", 3, 15, "devices[0].name: expected a full PCI address in lower case (0000:01:00.0)" },
	{ "name-upper-case", 3, 15, "devices[0].name: expected a full PCI address in lower case (0000:01:00.0)" },
	{ "binary", 1, 1, "has the control character 0x00, which is not allowed" },
	{ "boot-id-short", 1, 14, "boot_id: expected a boot id (01234567-89ab-4cde-8f01-23456789abcd)" },
	{ "bridge-number", 3, 102, "devices[0].bridge: expected true or false" },
	{ "byte-order-mark", 1, 1, "begins with a byte order mark: save it as UTF-8 without one" },
	{ "class-missing", 3, 5, "devices[0]: missing key class" },
	{ "class-too-short", 3, 82, "devices[0].class: expected a string of 6 hexadecimal digits in lower case" },
	{ "comment-without-end", 1, 17, "unterminated comment: write */ after it" },
	{ "device-id-upper-case", 3, 65,
	  "devices[0].device_id: expected a string of 4 hexadecimal digits in lower case" },
	{ "device-no-object", 3, 5, "devices[0]: expected an object in braces" },
	{ "devices-no-array", 1, 14, "devices: expected an array of devices" },
	{ "devices-null", 1, 14, "devices: unexpected null: expected an array of devices" },
	{ "double-device", 4, 5, "devices[1]: duplicate device 0000:00:01.0" },
	{ "double-key", 4, 7, "duplicate key \"class\": keep one" },
	{ "driver-empty", 3, 102, "devices[0].driver: expected a driver name, or null" },
	{ "driver-too-long", 3, 102, "devices[0].driver: string too long: at most 63 bytes" },
	{ "driver-with-slash", 3, 102, "devices[0].driver: expected a driver name, or null" },
	{ "drivers-item-null", 4, 7, "devices[0].drivers[1]: expected a driver name, or null" },
	{ "drivers-no-array", 3, 103, "devices[0].drivers: expected an array of driver names" },
	{ "empty-file", 1, 1,
	  "the text ends where a value (a string in double quotes, a number, true, false, null, [ or {) is expected" },
	{ "group-fraction", 3, 101, "devices[0].group: expected an integer from 0 to 2147483647" },
	{ "group-negative", 3, 101, "devices[0].group: expected an integer from 0 to 2147483647" },
	{ "group-text", 3, 101, "devices[0].group: expected an integer from 0 to 2147483647" },
	{ "group-too-large", 3, 101, "devices[0].group: expected an integer from 0 to 2147483647" },
	{ "kernel-bool-number", 1, 26, "kernel.iommufd: expected true or false" },
	{ "kernel-no-object", 1, 13, "kernel: expected an object in braces" },
	{ "kernel-release-control-character", 1, 26, "kernel.release: the string has unprintable characters" },
	{ "kernel-release-too-long", 1, 26, "kernel.release: string too long: at most 63 bytes" },
	{ "kind-unknown", 3, 100, "devices[0].kind: expected \"pci\"" },
	{ "more-virtual-functions-than-possible", 3, 5,
	  "devices[0]: more virtual_functions than virtual_functions_max" },
	{ "no-devices", 1, 1, "missing key devices" },
	{ "no-object", 1, 1, "expected an object in braces" },
	{ "no-utf-8", 1, 27, "the byte 0xff is not valid UTF-8: save the file as UTF-8" },
	{ "function-of-a-virtual-function", 4, 3,
	  "devices[2]: its physical_function 0000:00:02.0 is itself a virtual function" },
	{ "parent-of-itself", 2, 3, "devices[0]: its parents form a loop" },
	{ "parents-in-a-circle", 2, 3, "devices[0]: its parents form a loop" },
	{ "use-text-too-long", 3, 87, "uses[0].text: string too long: at most 255 bytes" },
	{ "version-1-with-name", 2, 7, "devices[0].name: unknown key; known keys: address, kind," },
	{ "version-2-with-address", 2, 7, "devices[0].address: unknown key; known keys: name, kind," },
	{ "version-mixed", 3, 7, "devices[1].name: unknown key; known keys: address, kind," },
	{ "version-text", 1, 14, "version: expected 1 or 2" },
	{ "version-three", 1, 14, "version: expected 1 or 2" },
	{ "version-zero", 1, 14, "version: expected 1 or 2" },
	{ "virtual-functions-too-many", 2, 111, "devices[0].virtual_functions: expected an integer from 0 to 65535" },
	{ "numa-node-too-large", 3, 105, "devices[0].numa_node: expected an integer from 0 to 65535" },
	{ "override-number", 3, 111, "devices[0].driver_override: expected a driver name, or null" },
	{ "parent-missing-device", 3, 102, "devices[0].parent: there is no such device" },
	{ "parent-no-bridge", 4, 5, "devices[1]: its parent 0000:00:01.0 is not a bridge" },
	{ "physical-function-missing", 3, 113, "devices[0].physical_function: there is no such device" },
	{ "reset-method-unknown", 4, 7,
	  "devices[0].reset_methods[1]: expected one of device_specific, acpi, flr, af_flr, pm, bus, cxl_bus" },
	{ "reset-methods-text", 3, 109, "devices[0].reset_methods: expected an array of reset methods" },
	{ "text-after-the-end", 2, 1, "unexpected data after the value: the file must hold one" },
	{ "too-deep", 1, 21, "nests deeper than 8 levels" },
	{ "trailing-comma", 2, 1, "remove the comma before this '}'" },
	{ "unknown-device-key", 3, 92, "devices[0].colour: unknown key; known keys: name, kind," },
	{ "unknown-kernel-key", 1, 15, "kernel.version: unknown key; known keys: release, iommufd, vfio_cdev, " },
	{ "unknown-top-key", 2, 3, "device: unknown key; known keys: version, kernel, boot_id, devices, uses" },
	{ "use-kind-driver", 5, 49, "uses[0].kind: omit this: a bound driver is itself a use" },
	{ "use-kind-unknown", 5, 49,
	  "uses[0].kind: expected a kind of use, as in a plan's uses: mount, swap, network-link, display or another" },
	{ "use-of-unknown-device", 5, 25, "uses[0].device: there is no such device" },
	{ "use-pid-negative", 5, 100, "uses[0].pid: expected an integer from 0 to 2147483647" },
	{ "use-pid-without-holder", 5, 13, "uses[0]: only a holder has a pid" },
	{ "use-severity-unknown", 5, 70, "uses[0].severity: expected one of idle, disruptive, fatal" },
	{ "use-text-missing", 5, 13, "uses[0]: missing key text" },
	{ "use-text-nul", 5, 89, "\\u0000 is not allowed in a string" },
	{ "uses-no-array", 5, 11, "uses: expected an array" },
	{ "vendor-missing", 3, 5, "devices[0]: missing key vendor_id" },
	{ "vendor-number", 3, 44, "devices[0].vendor_id: expected a string of 4 hexadecimal digits in lower case" },
	{ "vendor-too-long", 3, 44, "devices[0].vendor_id: expected a string of 4 hexadecimal digits in lower case" },
	{ "vfio-node-name", 3, 127, "devices[0].vfio_node: expected a name such as vfio0, or null" },
	{ "vfio-node-of-bridge", 3, 5, "devices[0]: a bridge with a vfio_node" },
	{ "vfio-node-twice", 4, 5, "devices[1]: another device has the node vfio3" },
	{ "vfio-node-without-driver", 3, 5, "devices[0]: a vfio_node without a driver" },
};

static struct loop *loop;
static struct machine *machine;

static int make_machine(void **state)
{
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(machine_new(loop, &machine), 0);
	return 0;
}

static int free_machine(void **state)
{
	kernel_close_all(machine);
	machine_free(machine);
	loop_free(loop);
	return 0;
}

static int load(const char *text, struct json_problem *problem)
{
	return host_text_load(text, strlen(text), machine, problem);
}

static void test_bad_files_are_refused_with_their_place(void **state)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct json_problem problem = { .line = 0 };
		char path[512];

		snprintf(path, sizeof(path), "%s/%s.json", HOSTS, bad[i].file);
		free_machine(NULL);
		make_machine(NULL);
		if (host_file_load(path, machine, &problem) != -EINVAL)
			fail_msg("%s is not refused", bad[i].file);
		if (problem.line != bad[i].line || problem.column != bad[i].column ||
		    strncmp(problem.message, bad[i].message, strlen(bad[i].message)) != 0)
			fail_msg("%s: %u:%u: %s", bad[i].file, problem.line, problem.column, problem.message);
	}
}

static void test_every_bad_file_is_in_the_table(void **state)
{
	DIR *folder = opendir(HOSTS);
	const struct dirent *entry;
	size_t count = 0;

	assert_non_null(folder);
	while ((entry = readdir(folder)))
		count += entry->d_name[0] != '.';
	closedir(folder);
	assert_int_equal(count, sizeof(bad) / sizeof(*bad));
}

static void test_what_is_no_file_is_refused(void **state)
{
	char folder[] = P_tmpdir "/ioasidd-hosts-XXXXXX", path[64];
	struct json_problem problem = { .line = 0 };

	assert_int_equal(host_file_load("/nonexistent/host.json", machine, &problem), -EINVAL);
	assert_non_null(strstr(problem.message, "No such file"));
	assert_non_null(mkdtemp(folder));
	assert_int_equal(host_file_load(folder, machine, &problem), -EINVAL);
	assert_non_null(strstr(problem.message, "not a regular file"));
	snprintf(path, sizeof(path), "%s/fifo", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(host_file_load(path, machine, &problem), -EINVAL);
	assert_non_null(strstr(problem.message, "not a regular file"));
	unlink(path);
	assert_int_equal(mknod(path, S_IFREG | 0600, 0), 0);
	assert_int_equal(truncate(path, SNAPSHOT_TEXT_MAX + 1), 0);
	assert_int_equal(host_file_load(path, machine, &problem), -EINVAL);
	assert_non_null(strstr(problem.message, "larger than 64 MiB"));
	unlink(path);
	rmdir(folder);
}

static void test_more_devices_than_a_host_can_have_are_refused(void **state)
{
	const size_t count = SNAPSHOT_DEVICES_MAX + 1;
	char *text = NULL;
	size_t length = 0;
	FILE *file = open_memstream(&text, &length);
	struct json_problem problem = { .line = 0 };

	fputs("{ \"devices\": [\n", file);
	for (size_t i = 0; i < count; i++)
		fprintf(file,
			"{ \"name\": \"%04zx:%02zx:%02zx.%zu\", \"vendor_id\": \"8086\", "
			"\"device_id\": \"0001\", \"class\": \"020000\", \"group\": %zu }%s\n",
			i >> 16, i >> 8 & 255, i >> 3 & 31, i & 7, i, i + 1 < count ? "," : "");
	fputs("] }", file);
	fclose(file);
	assert_int_equal(host_text_load(text, length, machine, &problem), -EINVAL);
	assert_string_equal(problem.message, "devices: more than 65536 devices");
	assert_true(problem.line == 1 && problem.column == 14);
	free(text);
}

static void test_every_shipped_host_is_good(void **state)
{
	DIR *folder = opendir(SHIPPED_HOSTS);
	const struct dirent *entry;
	size_t count = 0;

	assert_non_null(folder);
	while ((entry = readdir(folder))) {
		struct json_problem problem = { .line = 0 };
		char path[512];

		if (!strstr(entry->d_name, ".json"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", SHIPPED_HOSTS, entry->d_name);
		free_machine(NULL);
		make_machine(NULL);
		if (host_file_load(path, machine, &problem) != 0)
			fail_msg("%s:%u:%u: %s", path, problem.line, problem.column, problem.message);
		count++;
	}
	closedir(folder);
	assert_true(count >= 1);
}

static void test_what_is_left_out_has_a_default(void **state)
{
	struct json_problem problem;
	const struct simulated_device *nic, *bridge;

	assert_int_equal(load("{ \"devices\": ["
			      "{ \"name\": \"0000:01:00.0\", \"vendor_id\": \"8086\", \"device_id\": \"100e\","
			      "  \"class\": \"020000\", \"driver\": \"e1000\", \"parent\": \"0000:00:01.0\" },"
			      "{ \"name\": \"0000:00:01.0\", \"vendor_id\": \"8086\", \"device_id\": \"0001\","
			      "  \"class\": \"060400\", \"driver\": null } ] }",
			      &problem),
			 0);
	assert_true(machine->kernel.iommufd && machine->kernel.vfio_cdev && machine->kernel.vfio_group);
	assert_false(machine->kernel.unsafe_interrupts || machine->kernel.noiommu);
	assert_int_equal(strlen(machine->boot_id), 36);
	nic = machine_find(machine, "0000:01:00.0");
	bridge = machine_find(machine, "0000:00:01.0");
	assert_true(bridge->now.pci.bridge);
	assert_int_equal(nic->now.group, -1);
	assert_int_equal(nic->now.numa_node, -1);
	assert_int_equal(nic->now.pci.class_code, 0x020000);
	assert_string_equal(nic->driver[0], "e1000");
	assert_true(nic->now.identity != 0 && nic->now.identity != bridge->now.identity);
}

/* Of version 1, whether it says so, wherever it says so, or says nothing; and of version 2. */
static void test_both_versions_are_read(void **state)
{
	static const struct {
		const char *before, *key, *after;
	} version[] = {
		{ "\"version\": 1,", "address", "" },
		{ "", "address", ", \"version\": 1" },
		{ "", "address", "" },
		{ "\"version\": null,", "address", "" },
		{ "\"version\": 2,", "name", "" },
		{ "", "name", ", \"version\": 2" },
		{ "", "name", "" },
	};

	for (size_t i = 0; i < sizeof(version) / sizeof(*version); i++) {
		struct json_problem problem;
		char text[512];

		snprintf(text, sizeof(text),
			 "{ %s \"devices\": [ { \"%s\": \"0000:01:00.0\", \"vendor_id\": \"8086\", "
			 "\"device_id\": \"100e\", \"class\": \"020000\" } ]%s }",
			 version[i].before, version[i].key, version[i].after);
		free_machine(NULL);
		make_machine(NULL);
		if (load(text, &problem) != 0)
			fail_msg("%s: %s", text, problem.message);
		assert_non_null(machine_find(machine, "0000:01:00.0"));
	}
}

static void test_a_machine_reads_as_it_was_written(void **state)
{
	struct json_problem problem;
	struct json_object *first, *second;
	char *text;

	assert_int_equal(host_file_load(SHIPPED_HOSTS "/contract.json", machine, &problem), 0);
	first = host_to_json(machine);
	text = strdup(json_object_to_json_string(first));
	free_machine(NULL);
	make_machine(NULL);
	assert_int_equal(load(text, &problem), 0);
	second = host_to_json(machine);
	assert_string_equal(text, json_object_to_json_string(second));
	assert_true(json_object_equal(first, second));
	json_object_put(first);
	json_object_put(second);
	free(text);
}

/* Z-: whatever a host file holds, it is read whole or refused with a reason; and what was read can be written. */
static void test_mutilated_files_do_no_harm(void **state)
{
	char text[8192], mutant[sizeof(text)];
	FILE *file = fopen(SHIPPED_HOSTS "/contract.json", "re");
	size_t length = fread(text, 1, sizeof(text), file);
	unsigned refused = 0, taken = 0;

	fclose(file);
	assert_true(length > 0 && length < sizeof(text));
	srandom(1);
	for (int i = 0; i < 20000; i++) {
		struct json_problem problem = { .line = 0, .message = "" };
		struct json_object *host;
		int error;

		memcpy(mutant, text, length);
		for (long changes = random() % 3; changes >= 0; changes--) {
			size_t place = (size_t)random() % length, other = (size_t)random() % length;

			switch (random() % 4) {
			case 0:
				mutant[place] = (char)random();
				break;
			case 1:
				mutant[place] = "\"{}[],:0-/*\\"[random() % 12];
				break;
			case 2:
				mutant[place] = text[other];
				break;
			default:
				memmove(mutant + place, mutant + other,
					(length - (place > other ? place : other)) % 64);
				break;
			}
		}
		error = host_text_load(mutant, length, machine, &problem);
		assert_true(error == 0 || error == -EINVAL);
		assert_true(error == 0 || *problem.message);
		host = host_to_json(machine);
		assert_non_null(host);
		json_object_put(host);
		refused += error < 0;
		taken += error == 0;
		free_machine(NULL);
		make_machine(NULL);
	}
	/* Otherwise the mutants are no good. */
	if (refused < 1000 || taken < 500)
		fail_msg("%u were refused and %u taken", refused, taken);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bad_files_are_refused_with_their_place, make_machine,
						free_machine),
		cmocka_unit_test(test_every_bad_file_is_in_the_table),
		cmocka_unit_test_setup_teardown(test_what_is_no_file_is_refused, make_machine, free_machine),
		cmocka_unit_test_setup_teardown(test_more_devices_than_a_host_can_have_are_refused, make_machine,
						free_machine),
		cmocka_unit_test_setup_teardown(test_every_shipped_host_is_good, make_machine, free_machine),
		cmocka_unit_test_setup_teardown(test_what_is_left_out_has_a_default, make_machine, free_machine),
		cmocka_unit_test_setup_teardown(test_both_versions_are_read, make_machine, free_machine),
		cmocka_unit_test_setup_teardown(test_a_machine_reads_as_it_was_written, make_machine, free_machine),
		cmocka_unit_test_setup_teardown(test_mutilated_files_do_no_harm, make_machine, free_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
