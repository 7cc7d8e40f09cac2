/* What may be stopped: no more than a rule says, of the devices that the rule gives, and nothing that the host lives
 * by. */
#include "fixture.h"

#include "../../policy/check/stop_check.h"

#include <string.h>

static const char text[] =
	"{\"rules\": ["
	" {\"name\": \"no\", \"effect\": \"deny\", \"device\": {\"id\": \"1234:11e8\"}},"
	" {\"name\": \"keeps\", \"effect\": \"allow\", \"device\": {\"driver\": \"e1000\"}},"
	" {\"name\": \"process\", \"effect\": \"allow\", \"device\": {\"driver\": \"e1000\"},"
	" \"revoke\": {\"stop\": \"process\"}},"
	" {\"name\": \"unit\", \"effect\": \"allow\", \"device\": {\"pool\": \"p\"}, \"revoke\": {\"stop\": \"unit\"}}],"
	" \"pools\": {\"p\": [{\"id\": \"8086:100e\", \"driver\": \"e1000\"}]}}";

static void check(const char *rule, enum revoke_stop what, const struct device *device, const char *refusal)
{
	struct policy *policy = policy_of(text);
	char why[TEXT_MAX] = "";
	bool covered = stop_is_covered(policy, NULL, rule, what, device, 1, why);

	if (refusal)
		assert_contains(why, refusal);
	assert_int_equal(covered, refusal == NULL);
	policy_free(policy);
}

static void test_policy(void **state)
{
	struct device device = vfio_device_of("0000:01:00.0", 1), other = vfio_device_of("0000:02:00.0", 2);
	struct device hosts = device_of("0000:03:00.0", 3, "igb");

	other.pci.vendor = 0x1af4;
	check("nobody", REVOKE_STOP_PROCESS, &device, "no allow rule \"nobody\"");
	check("no", REVOKE_STOP_PROCESS, &device, "no allow rule \"no\"");
	check("keeps", REVOKE_STOP_PROCESS, &device, "\"stop\": \"nothing\"");
	check("process", REVOKE_STOP_UNIT, &device, "does not allow stopping a unit");
	check("process", REVOKE_STOP_NOTHING, &device, "does not allow stopping a process");
	/* The driver that it had before is not known, so it does not count; the rest does. */
	check("process", REVOKE_STOP_PROCESS, &device, NULL);
	check("unit", REVOKE_STOP_PROCESS, &device, NULL);
	check("unit", REVOKE_STOP_UNIT, &device, NULL);
	check("unit", REVOKE_STOP_UNIT, &other, "0000:02:00.0 is not a device of the rule \"unit\"");
	/* A device that a host driver has is no claim's. */
	check("process", REVOKE_STOP_PROCESS, &hosts, "is not a device of the rule");
}

static void test_no_devices(void **state)
{
	struct policy *policy = policy_of(text);
	char why[TEXT_MAX];

	assert_false(stop_is_covered(policy, NULL, "unit", REVOKE_STOP_UNIT, NULL, 0, why));
	policy_free(policy);
}

static void test_units(void **state)
{
	static const char *const possible[] = { "a.service", "machine-qemu\\x2d1.scope", "systemd-nspawn@a.service",
						"x@1.service" };
	static const char *const kept[] = {
		"",
		".service",
		"init.scope",
		"-.slice",
		"machine.slice",
		"ioasidd.service",
		"ioasidd.socket",
		"ioasid-executor.service",
		"ioasid-executor@0.service",
		"dbus.service",
		"systemd-journald.service",
		"a/b.service",
		"home.mount",
	};
	char why[TEXT_MAX];

	for (size_t i = 0; i < COUNT(possible); i++)
		assert_true(stop_unit_is_possible(possible[i], why));
	for (size_t i = 0; i < COUNT(kept); i++) {
		assert_false(stop_unit_is_possible(kept[i], why));
		assert_contains(why, "may be stopped");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_no_devices),
		cmocka_unit_test(test_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
