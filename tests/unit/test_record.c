/* Records: a failure until committed, and with room for what has to be in them. */
#include "fixture.h"

#include "../../policy/model/audit_record.h"

#include <stdio.h>
#include <string.h>

static void test_failure_first(void **state)
{
	struct audit_record record;

	audit_record_begin(&record, RECORD_GRANT, 1000, 77, "a.service");
	assert_int_equal(record.success, 0);
	assert_int_equal(record.uid, 1000);
	assert_int_equal(record.actor, 1000);
	assert_int_equal(record.pid, 77);
	assert_string_equal(record.unit, "a.service");
	assert_true(audit_record_is_sane(&record));
	audit_record_commit(&record);
	assert_int_equal(record.success, 1);
	assert_true(audit_record_is_sane(&record));
	audit_record_begin(&record, RECORD_POLICY_LOAD, 0, 0, NULL);
	assert_int_equal(record.success, 0);
	assert_string_equal(record.unit, "");
}

/* Devices that were asked for stand before those that are locked out, whatever the order in which they come. */
static void test_devices(void **state)
{
	struct audit_record record;

	audit_record_begin(&record, RECORD_GRANT, 1000, 0, "");
	audit_record_add_device(&record, "0000:01:00.1", true);
	audit_record_add_device(&record, "0000:01:00.0", false);
	audit_record_add_device(&record, "0000:01:00.2", true);
	audit_record_add_device(&record, "0000:02:00.0", false);
	assert_int_equal(record.device_count, 2);
	assert_int_equal(record.lockout_count, 2);
	assert_string_equal(record.device[0], "0000:01:00.0");
	assert_string_equal(record.device[1], "0000:02:00.0");
	assert_string_equal(record.device[2], "0000:01:00.1");
	assert_string_equal(record.device[3], "0000:01:00.2");
	for (unsigned i = 4; i < AUDIT_RECORD_DEVICES_MAX + 3; i++)
		audit_record_add_device(&record, "0000:03:00.0", i % 2);
	assert_int_equal(record.device_count + record.lockout_count, AUDIT_RECORD_DEVICES_MAX);
	assert_int_equal(record.left_out, 3);
	assert_true(audit_record_is_sane(&record));
}

static void test_sanity(void **state)
{
	struct audit_record record;

	audit_record_begin(&record, RECORD_KIND_COUNT, 0, 0, "");
	assert_false(audit_record_is_sane(&record));
	audit_record_begin(&record, RECORD_GRANT, 0, -1, "");
	assert_false(audit_record_is_sane(&record));
	audit_record_begin(&record, RECORD_GRANT, 0, 0, "");
	record.success = 2;
	assert_false(audit_record_is_sane(&record));
	audit_record_begin(&record, RECORD_GRANT, 0, 0, "");
	record.device_count = AUDIT_RECORD_DEVICES_MAX + 1;
	assert_false(audit_record_is_sane(&record));
	audit_record_begin(&record, RECORD_GRANT, 0, 0, "");
	record.device_count = 1;
	record.lockout_count = UINT32_MAX;
	assert_false(audit_record_is_sane(&record));
	audit_record_begin(&record, RECORD_GRANT, 0, 0, "");
	record.device_count = 1;
	assert_false(audit_record_is_sane(&record));
	audit_record_begin(&record, RECORD_GRANT, 0, 0, "");
	strcpy(record.text, "one\ntwo");
	assert_false(audit_record_is_sane(&record));
	audit_record_begin(&record, RECORD_GRANT, 0, 0, "");
	memset(record.rule, 'r', sizeof record.rule);
	assert_false(audit_record_is_sane(&record));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failure_first),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_sanity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
