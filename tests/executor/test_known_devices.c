/*
 * The list of what the broker was told: sorted, without duplicates, and able to say what was not seen again.
 */
#include "../../daemon/executor/workers/known_devices.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void name_of(unsigned number, char out[static DEVICE_NAME_MAX])
{
	snprintf(out, DEVICE_NAME_MAX, "0000:%02x:%02x.%u", number / 256 % 256, number / 8 % 32, number % 8);
}

static void seen_and_unseen(void **state)
{
	struct known_devices known = { 0 };

	assert_int_equal(known_devices_see(&known, "0000:00:02.0", ""), 0);
	assert_int_equal(known_devices_see(&known, "0000:00:01.0", ""), 0);
	assert_int_equal(known_devices_see(&known, "0000:00:01.1", "0000:00:01.0"), 0);
	assert_int_equal(known_devices_see(&known, "0000:00:02.0", ""), 0);
	assert_int_equal(known.count, 3);
	assert_null(known_devices_unseen(&known));
	assert_string_equal(known_devices_find(&known, "0000:00:01.1")->physical_function, "0000:00:01.0");
	assert_null(known_devices_find(&known, "0000:00:03.0"));
	known_devices_unsee(&known);
	assert_int_equal(known_devices_see(&known, "0000:00:01.0", ""), 0);
	assert_int_equal(known_devices_see(&known, "0000:00:02.0", ""), 0);
	assert_string_equal(known_devices_unseen(&known)->name, "0000:00:01.1");
	known_devices_forget(&known, "0000:00:01.1");
	known_devices_forget(&known, "0000:00:01.1");
	assert_null(known_devices_unseen(&known));
	assert_int_equal(known.count, 2);
	known_devices_done(&known);
}

static void many_in_any_order(void **state)
{
	struct known_devices known = { 0 };
	char name[DEVICE_NAME_MAX];

	for (unsigned i = 0; i < 10007; i++) {
		name_of(i * 7919 % 10007, name);
		assert_int_equal(known_devices_see(&known, name, ""), 0);
	}
	assert_int_equal(known.count, 10007);
	for (size_t i = 1; i < known.count; i++)
		assert_true(strcmp(known.item[i - 1].name, known.item[i].name) < 0);
	for (unsigned i = 0; i < 10007; i += 2) {
		name_of(i, name);
		known_devices_forget(&known, name);
	}
	for (unsigned i = 0; i < 10007; i++) {
		name_of(i, name);
		assert_int_equal(known_devices_find(&known, name) != NULL, i % 2);
	}
	known_devices_done(&known);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(seen_and_unseen), cmocka_unit_test(many_in_any_order) };

	return cmocka_run_group_tests_name("known_devices", tests, NULL, NULL);
}
