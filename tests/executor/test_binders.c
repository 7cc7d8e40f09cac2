/*
 * Which binder gets a plan, when another is started, and when one is let go.
 */
#include "../../daemon/executor/router/binder_slots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Starts binders as the main process does, until there are as many as there should be. */
static void fill(struct binders *binders)
{
	while (binders_want_spare(binders))
		binders_started(binders, binders_find_place(binders));
}

static void give(struct binders *binders, uint64_t plan)
{
	int slot = binders_find_idle(binders);

	assert_true(slot >= 0);
	binders_assign(binders, slot, plan);
}

static unsigned count(const struct binders *binders, enum binder_state state)
{
	unsigned found = 0;

	for (size_t i = 0; i < BINDERS_SLOTS; i++)
		found += binders->slot[i].state == state;
	return found;
}

static void spares_from_the_start(void **state)
{
	struct binders binders = { 0 };

	assert_int_equal(binders_find_idle(&binders), -1);
	fill(&binders);
	assert_int_equal(count(&binders, BINDER_IDLE), BINDERS_SPARE_MAX);
	/* One plan after the other starts nobody. */
	for (uint64_t plan = 1; plan < 10; plan++) {
		give(&binders, plan);
		assert_false(binders_want_spare(&binders));
		assert_true(binders_are_busy(&binders));
		assert_true(binders_finished(&binders, binders_find_plan(&binders, plan)));
		assert_int_equal(count(&binders, BINDER_IDLE), BINDERS_SPARE_MAX);
	}
}

static void as_many_as_there_may_be(void **state)
{
	struct binders binders = { 0 };

	fill(&binders);
	for (uint64_t plan = 1; plan <= BINDERS_MAX; plan++) {
		give(&binders, plan);
		fill(&binders);
	}
	assert_int_equal(binders_find_idle(&binders), -1);
	assert_int_equal(binders_find_place(&binders), -1);
	assert_false(binders_want_spare(&binders));
	/* When they are through, all but the spares go. */
	for (uint64_t plan = 1; plan <= BINDERS_MAX; plan++)
		assert_int_equal(binders_finished(&binders, binders_find_plan(&binders, plan)),
				 plan <= BINDERS_SPARE_MAX);
	assert_int_equal(count(&binders, BINDER_IDLE), BINDERS_SPARE_MAX);
	assert_int_equal(count(&binders, BINDER_ABSENT), BINDERS_SLOTS - BINDERS_SPARE_MAX);
}

/* H-18: one that hangs takes nobody's place. */
static void stuck_binders(void **state)
{
	struct binders binders = { 0 };

	fill(&binders);
	for (uint64_t plan = 1; plan <= BINDERS_STUCK_MAX; plan++) {
		give(&binders, plan);
		binders_overdue(&binders, binders_find_plan(&binders, plan));
		assert_false(binders_are_busy(&binders));
		fill(&binders);
		assert_int_equal(count(&binders, BINDER_IDLE), BINDERS_SPARE_MAX);
	}
	assert_int_equal(count(&binders, BINDER_STUCK), BINDERS_STUCK_MAX);
	/* One more goes on taking a place. */
	give(&binders, 1000);
	binders_overdue(&binders, binders_find_plan(&binders, 1000));
	assert_true(binders_are_busy(&binders));
	assert_int_equal(count(&binders, BINDER_STUCK), BINDERS_STUCK_MAX);
	/* Those that come back after all are found by their plans; one replaces the spare that is busy, the next is too many. */
	assert_true(binders_finished(&binders, binders_find_plan(&binders, 7)));
	assert_int_equal(binders_find_plan(&binders, 7), -1);
	assert_false(binders_finished(&binders, binders_find_plan(&binders, 8)));
	assert_int_equal(binders_find_plan(&binders, 8), -1);
	assert_int_equal(count(&binders, BINDER_IDLE), BINDERS_SPARE_MAX);
}

static void lost_binder(void **state)
{
	struct binders binders = { 0 };

	fill(&binders);
	give(&binders, 1);
	binders_lost(&binders, binders_find_plan(&binders, 1));
	assert_int_equal(binders_find_plan(&binders, 1), -1);
	assert_false(binders_are_busy(&binders));
	assert_true(binders_want_spare(&binders));
	fill(&binders);
	assert_int_equal(count(&binders, BINDER_IDLE), BINDERS_SPARE_MAX);
}

/* After a reload nobody with the old policy gets a plan. */
static void renewed_policy(void **state)
{
	struct binders binders = { 0 };
	int busy;

	fill(&binders);
	give(&binders, 1);
	busy = binders_find_plan(&binders, 1);
	binders_renew(&binders);
	assert_int_equal(binders_find_idle(&binders), -1);
	assert_false(binders_is_outdated(&binders, busy));
	for (int i = 0; i < BINDERS_SLOTS; i++)
		if (binders_is_outdated(&binders, i))
			binders_lost(&binders, i);
	assert_int_equal(count(&binders, BINDER_IDLE), 0);
	fill(&binders);
	assert_true(binders_find_idle(&binders) >= 0);
	assert_int_not_equal(binders_find_idle(&binders), busy);
	assert_false(binders_finished(&binders, busy));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spares_from_the_start), cmocka_unit_test(as_many_as_there_may_be),
		cmocka_unit_test(stuck_binders),         cmocka_unit_test(lost_binder),
		cmocka_unit_test(renewed_policy),
	};

	return cmocka_run_group_tests_name("binders", tests, NULL, NULL);
}
