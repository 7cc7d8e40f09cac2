/* What is reserved as udev is told it, and what the daemon says of what came of it. */
#include "fixture.h"

#include "../../policy/rules/reserve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START "ACTION==\"add\", SUBSYSTEM==\"pci\", ATTR{class}!=\"0x0604*\", "
#define END "ENV{IOASID_RESERVED}=\"1\", ATTR{driver_override}=\"vfio-pci\"\n"

/* The rules of a policy, without comments. */
static void rules_of(const char *text, char *out, size_t size)
{
	struct policy *policy = policy_of(text);
	struct diagnostics diagnostics = { .item = NULL };
	char *rules = NULL;

	assert_int_equal(reserve_to_udev(policy, &diagnostics, &rules), 0);
	out[0] = '\0';
	for (char *line = strtok(rules, "\n"); line; line = strtok(NULL, "\n"))
		if (line[0] != '#')
			snprintf(out + strlen(out), size - strlen(out), "%s\n", line);
	free(rules);
	policy_free(policy);
}

static void test_matches(void **state)
{
	static const struct {
		const char *reserve, *rules;
	} cases[] = {
		{ "{\"address\": [\"0000:01:00.0\", \"0000:02:*\"]}",
		  START "KERNEL==\"0000:01:00.0|0000:02:*\", " END },
		{ "{\"id\": [\"8086:10ca\", \"1af4:*\"]}", START "ENV{PCI_ID}==\"8086:10CA|1AF4:*\", " END },
		{ "{\"subsystem\": \"1af4:1[!a-f]00\"}", START "ENV{PCI_SUBSYS_ID}==\"1AF4:1[!A-F]00\", " END },
		{ "{\"class\": [\"02\", \"0200\", \"010802\", \"03??00\"]}",
		  START "ATTR{class}==\"0x02*|0x0200*|0x010802|0x03??00\", " END },
		{ "{\"numa_node\": [0, 1], \"kind\": \"pci\"}", START "ATTR{numa_node}==\"0|1\", " END },
		{ "{\"parent\": \"0000:00:1c.0\"}", START "DEVPATH==\"*/0000:00:1c.0/*\", " END },
		{ "{\"kind\": \"pci\"}", START END },
		{ "{\"pool\": \"p\", \"numa_node\": 1}",
		  START "ATTR{numa_node}==\"1\", ENV{PCI_ID}==\"8086:10CA\", " END START
			"ATTR{numa_node}==\"1\", ATTR{class}==\"0x02*\", " END },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[512], rules[2048];

		snprintf(text, sizeof text,
			 "{\"pools\": {\"p\": [{\"id\": \"8086:10ca\"}, {\"class\": \"02\"}]}, \"reserve\": [%s]}",
			 cases[i].reserve);
		rules_of(text, rules, sizeof rules);
		assert_string_equal(rules, cases[i].rules);
	}
}

/* Long lists are dealt out to several rules, all combinations of them, each line short enough for udev. */
static void test_long_lists(void **state)
{
	char text[8192] = "{\"reserve\": [{\"numa_node\": [0,1,2,3,4,5,6,7,8], \"address\": [", *rules = NULL;
	struct diagnostics diagnostics = { .item = NULL };
	struct policy *policy;
	size_t lines = 0, addresses = 0;

	for (unsigned i = 0; i < 20; i++)
		sprintf(text + strlen(text), "%s\"0000:%02x:00.0\"", i ? "," : "", i);
	strcat(text, "]}]}");
	policy = policy_of(text);
	assert_int_equal(reserve_to_udev(policy, &diagnostics, &rules), 0);
	for (char *line = strtok(rules, "\n"); line; line = strtok(NULL, "\n")) {
		assert_true(strlen(line) < 16000);
		lines += line[0] != '#';
		for (char *at = line; (at = strstr(at, ":00.0")); at++)
			addresses++;
	}
	assert_int_equal(lines, 3 * 2);
	assert_int_equal(addresses, 20 * 2);
	free(rules);
	policy_free(policy);
}

/* No text of a policy ends a string of the rules, whatever its names are. */
static void test_no_injection(void **state)
{
	static const char text[] = "{\"pools\": {\"x\\\", RUN+=\\\"/bin/sh\": [{\"id\": \"8086:10ca\"}]},"
				   " \"reserve\": [{\"pool\": \"x\\\", RUN+=\\\"/bin/sh\"}]}";
	struct policy_source source = { .path = "a\nKERNEL==\"*\", RUN+=\"sh\".json",
					.text = text,
					.length = sizeof text - 1 };
	struct diagnostics diagnostics = { .item = NULL };
	struct policy *policy = NULL;
	char *rules = NULL;

	assert_int_equal(policy_parse(&source, 1, &test_names, &diagnostics, &policy), 0);
	assert_int_equal(reserve_to_udev(policy, &diagnostics, &rules), 0);
	for (char *line = strtok(rules, "\n"); line; line = strtok(NULL, "\n"))
		if (line[0] != '#')
			assert_string_equal(line, "ACTION==\"add\", SUBSYSTEM==\"pci\", ATTR{class}!=\"0x0604*\", "
						  "ENV{PCI_ID}==\"8086:10CA\", ENV{IOASID_RESERVED}=\"1\", "
						  "ATTR{driver_override}=\"vfio-pci\"");
	free(rules);
	policy_free(policy);
}

static void count_report(void *context, const struct device *device, const char *message)
{
	char *out = context;

	assert_contains(message, device->name);
	strcat(strcat(out, message), "\n");
}

static void test_verify(void **state)
{
	struct policy *policy = policy_of("{\"reserve\": [{\"id\": \"8086:*\"}]}");
	struct device ready = vfio_device_of("0000:01:00.0", 1), bound = device_of("0000:02:00.0", 2, "e1000"),
		      loose = device_of("0000:03:00.0", 3, ""), bridge = device_of("0000:04:00.0", 4, "pcieport"),
		      slack = vfio_device_of("0000:05:00.0", 5), other = device_of("0000:06:00.0", 6, "e1000");
	char text[4096] = "";
	struct host host;

	host_init(&host);
	bridge.pci.bridge = 1;
	slack.driver_override[0] = '\0';
	other.pci.vendor = 0x1234;
	host_add(&host, &ready);
	host_add(&host, &bound);
	host_add(&host, &loose);
	host_add(&host, &bridge);
	host_add(&host, &slack);
	host_add(&host, &other);
	assert_int_equal(reserve_verify(policy, host.topology, host.ledger, count_report, text), 3);
	assert_contains(text, "0000:02:00.0 is reserved (test.json:1), but is bound to the driver e1000: start "
			      "ioasidd-reserve.service");
	assert_contains(text, "0000:03:00.0 is reserved (test.json:1), but is not bound to a driver");
	assert_contains(text, "0000:05:00.0 is reserved (test.json:1), but has no driver_override");
	/* What a claim has is where the claim wants it. */
	host_claim(&host, "c1", 1000, "r", bound.name);
	text[0] = '\0';
	assert_int_equal(reserve_verify(policy, host.topology, host.ledger, count_report, text), 2);
	host_done(&host);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matches),
		cmocka_unit_test(test_long_lists),
		cmocka_unit_test(test_no_injection),
		cmocka_unit_test(test_verify),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
