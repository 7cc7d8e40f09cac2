#include "../../daemon/broker/observers/rate_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// clang-format off
#include <cmocka.h>
// clang-format on

/* How many of so many records of a user, all at the same time, are written. */
static int written(struct rate_limit *rate, uid_t uid, uint64_t now, int count)
{
	uint64_t left_out;
	int result = 0;

	for (int i = 0; i < count; i++)
		result += rate_limit_take(rate, uid, now, &left_out);
	return result;
}

static void test_a_burst_and_then_one_a_second(void **state)
{
	struct rate_limit rate = { 0 };
	uint64_t left_out = 7, now = 1000;

	assert_true(rate_limit_take(&rate, 1, now, &left_out));
	assert_int_equal(left_out, 0);
	assert_int_equal(written(&rate, 1, now, 100), RATE_LIMIT_BURST - 1);
	now += RATE_LIMIT_USEC;
	assert_true(rate_limit_take(&rate, 1, now, &left_out));
	assert_int_equal(left_out, 100 - (RATE_LIMIT_BURST - 1));
	assert_false(rate_limit_take(&rate, 1, now, &left_out));
	/* After a long silence he may have a whole burst again, and no more. */
	now += 1000 * RATE_LIMIT_USEC;
	assert_int_equal(written(&rate, 1, now, 100), RATE_LIMIT_BURST);
}

static void test_users_do_not_count_for_each_other(void **state)
{
	struct rate_limit rate = { 0 };

	assert_int_equal(written(&rate, 1, 1000, 1000), RATE_LIMIT_BURST);
	for (uid_t uid = 2; uid <= RATE_LIMIT_USERS; uid++)
		assert_int_equal(written(&rate, uid, 1000, 1), 1);
	assert_int_equal(written(&rate, 4000000000u, 1000 + 100 * RATE_LIMIT_USEC, 100), RATE_LIMIT_BURST);
}

static void test_more_users_than_places_share_one(void **state)
{
	struct rate_limit rate = { 0 };
	int sum = 0;

	for (uid_t uid = 1; uid <= 10 * RATE_LIMIT_USERS; uid++)
		sum += written(&rate, uid, 1000, 100);
	assert_int_equal(sum, RATE_LIMIT_USERS * RATE_LIMIT_BURST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_burst_and_then_one_a_second),
		cmocka_unit_test(test_users_do_not_count_for_each_other),
		cmocka_unit_test(test_more_users_than_places_share_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
