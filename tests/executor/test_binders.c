/*
 * Which binder gets a plan, when another is started, and when one is let go.
 */
#include "../../daemon/executor/router/binder_slots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Starts binders as the main process does, until there are as many as there should be. */
static void fill(struct binder_slots *slots)
{
	while (binder_slots_want_spare(slots))
		binder_slots_started(slots, binder_slots_find_place(slots));
}

static void give(struct binder_slots *slots, uint64_t plan)
{
	int slot = binder_slots_find_idle(slots);

	assert_true(slot >= 0);
	binder_slots_assign(slots, slot, plan);
}

static unsigned count(const struct binder_slots *slots, enum binder_state state)
{
	unsigned found = 0;

	for (size_t i = 0; i < BINDER_SLOTS; i++)
		found += slots->slot[i].state == state;
	return found;
}

static void spares_from_the_start(void **state)
{
	struct binder_slots slots = { 0 };

	assert_int_equal(binder_slots_find_idle(&slots), -1);
	fill(&slots);
	assert_int_equal(count(&slots, BINDER_IDLE), BINDER_SLOTS_SPARE_MAX);
	/* One plan after the other starts nobody. */
	for (uint64_t plan = 1; plan < 10; plan++) {
		give(&slots, plan);
		assert_false(binder_slots_want_spare(&slots));
		assert_true(binder_slots_are_busy(&slots));
		assert_true(binder_slots_finished(&slots, binder_slots_find_plan(&slots, plan)));
		assert_int_equal(count(&slots, BINDER_IDLE), BINDER_SLOTS_SPARE_MAX);
	}
}

static void as_many_as_there_may_be(void **state)
{
	struct binder_slots slots = { 0 };

	fill(&slots);
	for (uint64_t plan = 1; plan <= BINDER_SLOTS_MAX; plan++) {
		give(&slots, plan);
		fill(&slots);
	}
	assert_int_equal(binder_slots_find_idle(&slots), -1);
	assert_int_equal(binder_slots_find_place(&slots), -1);
	assert_false(binder_slots_want_spare(&slots));
	/* When they are through, all but the spares go. */
	for (uint64_t plan = 1; plan <= BINDER_SLOTS_MAX; plan++)
		assert_int_equal(binder_slots_finished(&slots, binder_slots_find_plan(&slots, plan)),
				 plan <= BINDER_SLOTS_SPARE_MAX);
	assert_int_equal(count(&slots, BINDER_IDLE), BINDER_SLOTS_SPARE_MAX);
	assert_int_equal(count(&slots, BINDER_ABSENT), BINDER_SLOTS - BINDER_SLOTS_SPARE_MAX);
}

/* H-18: one that hangs takes nobody's place. */
static void stuck_binders(void **state)
{
	struct binder_slots slots = { 0 };

	fill(&slots);
	for (uint64_t plan = 1; plan <= BINDER_SLOTS_STUCK_MAX; plan++) {
		give(&slots, plan);
		binder_slots_overdue(&slots, binder_slots_find_plan(&slots, plan));
		assert_false(binder_slots_are_busy(&slots));
		fill(&slots);
		assert_int_equal(count(&slots, BINDER_IDLE), BINDER_SLOTS_SPARE_MAX);
	}
	assert_int_equal(count(&slots, BINDER_STUCK), BINDER_SLOTS_STUCK_MAX);
	/* One more goes on taking a place. */
	give(&slots, 1000);
	binder_slots_overdue(&slots, binder_slots_find_plan(&slots, 1000));
	assert_true(binder_slots_are_busy(&slots));
	assert_int_equal(count(&slots, BINDER_STUCK), BINDER_SLOTS_STUCK_MAX);
	/* Those that come back after all are found by their plans; one replaces the spare that is busy, the next is too
	 * many. */
	assert_true(binder_slots_finished(&slots, binder_slots_find_plan(&slots, 7)));
	assert_int_equal(binder_slots_find_plan(&slots, 7), -1);
	assert_false(binder_slots_finished(&slots, binder_slots_find_plan(&slots, 8)));
	assert_int_equal(binder_slots_find_plan(&slots, 8), -1);
	assert_int_equal(count(&slots, BINDER_IDLE), BINDER_SLOTS_SPARE_MAX);
}

static void lost_binder(void **state)
{
	struct binder_slots slots = { 0 };

	fill(&slots);
	give(&slots, 1);
	binder_slots_lost(&slots, binder_slots_find_plan(&slots, 1));
	assert_int_equal(binder_slots_find_plan(&slots, 1), -1);
	assert_false(binder_slots_are_busy(&slots));
	assert_true(binder_slots_want_spare(&slots));
	fill(&slots);
	assert_int_equal(count(&slots, BINDER_IDLE), BINDER_SLOTS_SPARE_MAX);
}

/* After a reload nobody with the old policy gets a plan. */
static void renewed_policy(void **state)
{
	struct binder_slots slots = { 0 };
	int busy;

	fill(&slots);
	give(&slots, 1);
	busy = binder_slots_find_plan(&slots, 1);
	binder_slots_renew(&slots);
	assert_int_equal(binder_slots_find_idle(&slots), -1);
	assert_false(binder_slots_is_outdated(&slots, busy));
	for (int i = 0; i < BINDER_SLOTS; i++)
		if (binder_slots_is_outdated(&slots, i))
			binder_slots_lost(&slots, i);
	assert_int_equal(count(&slots, BINDER_IDLE), 0);
	fill(&slots);
	assert_true(binder_slots_find_idle(&slots) >= 0);
	assert_int_not_equal(binder_slots_find_idle(&slots), busy);
	assert_false(binder_slots_finished(&slots, busy));
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
