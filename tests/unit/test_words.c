/* The words: every value has a text of its own, and each text leads back to its value. */
#include "fixture.h"

#include <errno.h>
#include <string.h>

/* One enumeration through its pair of functions, which all have this shape but for the type of their argument. */
#define ROUND_TRIP(name, count) \
	do { \
		for (unsigned i = 0; i < (count); i++) { \
			const char *text = name##_to_string((enum name)i); \
\
			assert_non_null(text); \
			assert_true(text[0] != '\0'); \
			assert_int_equal(name##_from_string(text), i); \
			assert_int_equal(strspn(text, "abcdefghijklmnopqrstuvwxyz-"), strlen(text)); \
		} \
		assert_null(name##_to_string((enum name)(count))); \
		assert_null(name##_to_string((enum name) - 1)); \
		assert_int_equal(name##_from_string(""), -EINVAL); \
		assert_int_equal(name##_from_string("nonsense"), -EINVAL); \
		assert_int_equal(name##_from_string(NULL), -EINVAL); \
	} while (0)

static void test_round_trips(void **state)
{
	ROUND_TRIP(device_kind, device_kind_count);
	ROUND_TRIP(delivery_mode, DELIVERY_MODE_COUNT);
	ROUND_TRIP(severity, SEVERITY_COUNT);
	ROUND_TRIP(use_kind, USE_KIND_COUNT);
	ROUND_TRIP(claim_state, CLAIM_STATE_COUNT);
	ROUND_TRIP(device_availability, DEVICE_AVAILABILITY_COUNT);
	ROUND_TRIP(lease_kind, LEASE_KIND_COUNT);
	ROUND_TRIP(revoke_stop, REVOKE_STOP_COUNT);
	ROUND_TRIP(record_kind, RECORD_KIND_COUNT);
	ROUND_TRIP(hold_kind, HOLD_KIND_COUNT);
	ROUND_TRIP(hold_verdict, HOLD_VERDICT_COUNT);
	ROUND_TRIP(reset_demand, RESET_DEMAND_COUNT);
	ROUND_TRIP(blocker_kind, BLOCKER_KIND_COUNT);
	ROUND_TRIP(note_kind, NOTE_KIND_COUNT);
}

static void test_spelling(void **state)
{
	assert_string_equal(device_kind_to_string(DEVICE_PCI), "pci");
	assert_string_equal(delivery_mode_to_string(MODE_BROKERED), "brokered");
	assert_string_equal(severity_to_string(SEVERITY_DISRUPTIVE), "disruptive");
	assert_string_equal(use_kind_to_string(USE_NAMESPACE), "network-namespace");
	assert_string_equal(claim_state_to_string(CLAIM_LOST), "lost");
	assert_string_equal(device_availability_to_string(AVAILABILITY_GROUP_IN_USE), "group-in-use");
	assert_string_equal(reset_demand_to_string(RESET_TRY), "try");
	assert_string_equal(lease_kind_to_string(LEASE_DESCRIPTOR), "descriptor");
	assert_string_equal(revoke_stop_to_string(REVOKE_STOP_UNIT), "unit");
	assert_string_equal(record_kind_to_string(RECORD_POLICY_LOAD), "policy-load");
	assert_string_equal(hold_kind_to_string(HOLD_VDPA), "vhost-vdpa");
	assert_string_equal(hold_verdict_to_string(HOLD_FOREIGN), "foreign");
	assert_string_equal(blocker_kind_to_string(BLOCKER_LOCKOUT_NOT_COVERED), "lockout-not-covered");
	assert_int_equal(delivery_mode_from_string("Open"), -EINVAL);
	assert_int_equal(delivery_mode_from_string("open "), -EINVAL);
}

static void test_exit_statuses(void **state)
{
	static const struct {
		const char *kind;
		enum exit_status status;
	} expected[] = {
		{ "unknown-device", 5 },
		{ "unknown-pool", 5 },
		{ "unknown-claim", 5 },
		{ "kernel", 6 },
		{ "no-iommu-group", 6 },
		{ "bridge", 6 },
		{ "not-restorable", 6 },
		{ "no-reset", 6 },
		{ "group-too-large", 6 },
		{ "no-rule", 3 },
		{ "denied", 3 },
		{ "never", 3 },
		{ "mode", 3 },
		{ "limit", 3 },
		{ "lockout-not-covered", 3 },
		{ "different-rules", 3 },
		{ "policy", 3 },
		{ "in-use", 4 },
		{ "member-in-use", 4 },
		{ "claimed", 4 },
		{ "other-context", 4 },
	};

	assert_int_equal(COUNT(expected), BLOCKER_KIND_COUNT);
	for (size_t i = 0; i < COUNT(expected); i++) {
		int kind = blocker_kind_from_string(expected[i].kind);

		assert_int_equal(kind, i);
		assert_int_equal(blocker_kind_to_exit_status((enum blocker_kind)kind), expected[i].status);
	}
	assert_int_equal(blocker_kind_to_exit_status(BLOCKER_KIND_COUNT), EXIT_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_spelling),
		cmocka_unit_test(test_exit_statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
