/*
 * The plan engine over a table of calls that this test has in its hands: every call of every plan fails once, and would
 * have to wait once; and what is decided about a device that does not come free.
 */
#include "../../daemon/plans/engine.h"
#include "../executor/plan_literal.h"
#include "counted_host.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* clang-format off */
#define TAKE \
	STEP(OVERRIDE, SIBLING, .value = PINNED_OVERRIDE), STEP(UNBIND, SIBLING, .before = "e1000"), \
	STEP(OVERRIDE, CARD, .value = "vfio-pci"), STEP(UNBIND, CARD, .before = "card"), \
	STEP(PROBE, CARD, .value = "vfio-pci")
static const struct plan by_iommufd = PLAN(TAKE, STEP(CONTEXT, ""), STEP(OPEN, CARD), STEP(BIND, CARD), STEP(IOAS, ""),
					   STEP(ATTACH, CARD), STEP(MEMLOCK, "", .number = 4096));
static const struct plan by_group = PLAN(TAKE, STEP(CONTAINER, ""), STEP(GROUP, CARD), STEP(GROUP_DEVICE, CARD),
					 STEP(MEMLOCK, "", .number = 4096));
static const struct plan by_node = PLAN(TAKE, STEP(GRANT, "", .number = 1000), STEP(GRANT, CARD, .number = 1000));
static const struct plan give_back =
	PLAN(STEP(REVOKE, "", .number = 1000), STEP(REVOKE, CARD, .number = 1000), STEP(UNMAP, "", .number = 7),
	     STEP(PROVE_NO_HOLDER, CARD), STEP(PROVE_UNBOUND, CARD), STEP(PROVE_GROUP_FREE, CARD),
	     STEP(BUS_MASTER_OFF, CARD), STEP(RESET, CARD, .number = RESET_REQUIRE),
	     STEP(UNBIND_VFIO, CARD, .before = "vfio-pci"), STEP(RESTORE, CARD, .value = "card"),
	     STEP(RESTORE, SIBLING, .value = "e1000"));
/* clang-format on */

static const struct host_state on_the_host = { .device = { { .driver = "card" }, { .driver = "e1000" } } };
static const struct host_state claimed = {
	.device = { { .driver = "vfio-pci", .override = "vfio-pci" }, { .override = PINNED_OVERRIDE } },
};

static void begin(const struct host_state *state)
{
	memset(&host, 0, sizeof(host));
	memcpy(&host.now, state, sizeof(*state));
}

/* Runs a plan, and returns how often it was to come back. passed: a context comes with it. */
static unsigned run_plan(const struct plan *plan, bool release, bool passed, struct wire_result *result)
{
	struct plan_run run;
	unsigned times = 0;

	memset(result, 0, sizeof(*result));
	assert_int_equal(plan_run_begin(&run, &counted_calls, plan, release), 0);
	run.context_passed = passed;
	for (size_t i = 0; i < run.device_count; i++)
		run.device[i].group = 5;
	while (!engine_advance(&run, result))
		assert_true(++times < 10);
	plan_run_end(&run);
	return times;
}

static void assert_is(const struct host_state *state)
{
	assert_memory_equal(&host.now, state, sizeof(*state));
}

static const struct plan *const claims[] = { &by_iommufd, &by_group, &by_node };
enum { CLAIMS = sizeof(claims) / sizeof(*claims) };

/* Whatever call fails, the host is as it was; with the memlock limit, and with what the failing step itself left. */
static void test_each_call_of_a_claim_fails(void **state)
{
	for (size_t i = 0; i < CLAIMS; i++) {
		struct wire_result result;
		size_t count;

		begin(&on_the_host);
		run_plan(claims[i], false, false, &result);
		assert_int_equal(result.outcome, WIRE_OUTCOME_DONE);
		assert_int_equal(result.kind, STEP_KIND_COUNT);
		assert_int_equal(result.memlock_before, claims[i] == &by_node ? 0 : 64);
		count = host.calls;
		for (size_t call = 1; call <= count; call++) {
			begin(&on_the_host);
			host.fail_at = call;
			run_plan(claims[i], false, false, &result);
			assert_int_equal(result.outcome, WIRE_OUTCOME_UNDONE);
			assert_int_equal(result.error, EXDEV);
			assert_true(result.text[0]);
			assert_is(&on_the_host);
		}
	}
}

/* Whatever call would have to wait, the plan goes on where it was, and comes to the same end. */
static void test_each_call_waits(void **state)
{
	for (size_t i = 0; i <= CLAIMS; i++) {
		bool release = i == CLAIMS;
		const struct plan *plan = release ? &give_back : claims[i];
		const struct host_state *before = release ? &claimed : &on_the_host;
		struct wire_result result;
		struct host_state after;
		size_t count;

		begin(before);
		assert_int_equal(run_plan(plan, release, release, &result), 0);
		after = host.now;
		count = host.calls;
		for (size_t call = 1; call <= count; call++) {
			begin(before);
			host.wait_at = call;
			assert_int_equal(run_plan(plan, release, release, &result), 1);
			assert_int_equal(result.outcome, WIRE_OUTCOME_DONE);
			assert_is(&after);
		}
	}
}

/* The last step of a claim has failed, and then each call of its undo does, or waits. */
static void test_each_call_of_an_undo_fails_and_waits(void **state)
{
	const struct plan plan =
		PLAN(TAKE, STEP(GRANT, CARD, .number = 1000), STEP(MEMLOCK, "", .number = 4096), STEP(REVOKE, CARD));
	struct wire_result result;
	size_t first, count;

	begin(&on_the_host);
	run_plan(&(struct plan){ .step = plan.step, .count = plan.count - 1 }, false, false, &result);
	first = host.calls + 1;
	begin(&on_the_host);
	run_plan(&plan, false, false, &result);
	assert_int_equal(result.outcome, WIRE_OUTCOME_UNDONE);
	assert_int_equal(result.kind, STEP_REVOKE);
	assert_is(&on_the_host);
	count = host.calls;
	assert_true(count > first);
	for (size_t call = first; call <= count; call++) {
		begin(&on_the_host);
		host.wait_at = call;
		assert_int_equal(run_plan(&plan, false, false, &result), 1);
		assert_int_equal(result.outcome, WIRE_OUTCOME_UNDONE);
		assert_is(&on_the_host);
		begin(&on_the_host);
		host.fail_at = call;
		run_plan(&plan, false, false, &result);
		assert_int_equal(result.outcome, WIRE_OUTCOME_BROKEN);
		assert_int_equal(result.kind, STEP_REVOKE);
		assert_non_null(strstr(result.text, "Not everything could be restored"));
	}
}

/* The step that failed is undone, too: here the probe, whose driver offers no node. */
static void test_the_failing_step_is_undone(void **state)
{
	struct wire_result result;

	begin(&on_the_host);
	host.vfio_without_node = true;
	run_plan(&by_iommufd, false, false, &result);
	assert_int_equal(result.outcome, WIRE_OUTCOME_UNDONE);
	assert_int_equal(result.kind, STEP_PROBE);
	assert_is(&on_the_host);
}

/* A device goes at each call of a claim: what was done to the other is put back. */
static void test_a_device_goes_while_it_is_claimed(void **state)
{
	for (size_t i = 0; i < CLAIMS; i++) {
		struct wire_result result;
		size_t count;

		begin(&on_the_host);
		run_plan(claims[i], false, false, &result);
		count = host.calls;
		for (size_t call = 1; call <= count; call++) {
			begin(&on_the_host);
			host.gone_at = call;
			run_plan(claims[i], false, false, &result);
			/* After the last steps of it, it is for the broker to see that it is gone. */
			if (call >= count - 1 && result.outcome == WIRE_OUTCOME_DONE)
				continue;
			assert_int_equal(result.outcome, WIRE_OUTCOME_UNDONE);
			assert_int_equal(result.error, ENODEV);
			assert_memory_equal(&host.now.device[1], &on_the_host.device[1], sizeof(host.now.device[1]));
			assert_false(host.now.device[0].opened || host.now.device[0].group_opened);
		}
	}
}

/* The same of a release, with the call that it goes at: there is nothing left of it to put back, and that is no
 * failure. */
static void test_a_device_goes_while_it_is_released(void **state)
{
	/* Those that are about the other, at the end, and about no device. */
	enum { RESTORE_CALLS = 5, CONTAINER_CALL = 1, UNMAP_CALL = 3 };
	struct wire_result result;
	size_t count;

	begin(&claimed);
	run_plan(&give_back, true, true, &result);
	count = host.calls;
	for (size_t call = 1; call <= count; call++) {
		begin(&claimed);
		host.gone_at = call;
		if (call != CONTAINER_CALL && call != UNMAP_CALL && call <= count - RESTORE_CALLS)
			host.fail_at = call;
		run_plan(&give_back, true, true, &result);
		assert_int_equal(result.outcome, WIRE_OUTCOME_DONE);
		assert_memory_equal(&host.now.device[1], &on_the_host.device[1], sizeof(host.now.device[1]));
	}
}

/* A claim contradicts itself, or has not what it says comes with it. */
static void test_claims_that_make_no_sense(void **state)
{
	const struct plan plans[] = {
		PLAN(STEP(CONTEXT, "", .number = 1)),
		PLAN(STEP(CONTAINER, "", .number = 1)),
		PLAN(STEP(OPEN, CARD), STEP(OPEN, CARD)),
		PLAN(STEP(GROUP, CARD), STEP(GROUP, CARD)),
		PLAN(STEP(GROUP_DEVICE, CARD)),
		PLAN(STEP(GROUP, CARD), STEP(GROUP_DEVICE, CARD), STEP(GROUP_DEVICE, CARD)),
		PLAN(STEP(RESTORE, CARD)),
	};
	const struct plan twice = PLAN(STEP(OPEN, CARD), { .kind = STEP_OPEN, .device = CARD, .identity = 2 });
	const struct plan passed[] = { PLAN(STEP(CONTEXT, "")), PLAN(STEP(CONTAINER, "")) };
	const struct plan right = PLAN(STEP(CONTEXT, "", .number = 1), STEP(IOAS, "", .number = 9),
				       STEP(GROUP_DEVICE, CARD, .number = 1));
	struct plan_run run;
	struct wire_result result;

	for (size_t i = 0; i < sizeof(plans) / sizeof(*plans); i++) {
		begin(&on_the_host);
		run_plan(&plans[i], false, false, &result);
		assert_int_equal(result.outcome, WIRE_OUTCOME_UNDONE);
		assert_int_equal(result.step, plans[i].count - 1);
		assert_is(&on_the_host);
	}
	for (size_t i = 0; i < 2; i++) {
		begin(&on_the_host);
		run_plan(&passed[i], false, true, &result);
		assert_int_equal(result.error, EBADF);
	}
	begin(&on_the_host);
	run_plan(&right, false, true, &result);
	assert_int_equal(result.outcome, WIRE_OUTCOME_DONE);
	assert_int_equal(result.ioas_id, 9);
	assert_int_equal(plan_run_begin(&run, &counted_calls, &twice, false), -EBADMSG);
	plan_run_end(&run);
	begin(&on_the_host);
	run_plan(&by_node, true, false, &result);
	assert_int_equal(result.outcome, WIRE_OUTCOME_BROKEN);
}

/* Each call of a release fails; made once more, it puts all back. */
static void test_each_call_of_a_release_fails(void **state)
{
	struct wire_result result;
	size_t count;

	begin(&claimed);
	host.now.device[0].granted = true;
	run_plan(&give_back, true, true, &result);
	assert_int_equal(result.outcome, WIRE_OUTCOME_DONE);
	assert_int_equal(host.emptied, 1);
	assert_is(&on_the_host);
	count = host.calls;
	for (size_t call = 1; call <= count; call++) {
		begin(&claimed);
		host.fail_at = call;
		run_plan(&give_back, true, true, &result);
		assert_int_not_equal(result.outcome, WIRE_OUTCOME_DONE);
		assert_int_equal(result.error, EXDEV);
		assert_true(result.text[0]);
		host.fail_at = 0;
		run_plan(&give_back, true, true, &result);
		assert_int_equal(result.outcome, WIRE_OUTCOME_DONE);
		assert_is(&on_the_host);
	}
}

static void release_is(const struct plan *plan, enum wire_outcome outcome, enum step_kind kind)
{
	struct wire_result result;

	run_plan(plan, true, true, &result);
	assert_int_equal(result.outcome, outcome);
	assert_int_equal(result.kind, kind);
}

/* Nothing of a release is done while somebody has the device. */
static void test_who_has_the_device_is_waited_for(void **state)
{
	begin(&claimed);
	host.has_holder = true;
	release_is(&give_back, WIRE_OUTCOME_HELD, STEP_PROVE_NO_HOLDER);
	assert_is(&claimed);
	begin(&claimed);
	host.is_held = true;
	host.patience = 3;
	release_is(&give_back, WIRE_OUTCOME_HELD, STEP_PROVE_UNBOUND);
	assert_int_equal(host.patience, -1);
	assert_is(&claimed);
	begin(&claimed);
	host.held_by_group = true;
	release_is(&give_back, WIRE_OUTCOME_HELD, STEP_PROVE_GROUP_FREE);
	assert_is(&claimed);
	/* The refusal shows nothing where a driver of the host's keeps every other owner out. */
	begin(&claimed);
	host.host_driver = true;
	release_is(&give_back, WIRE_OUTCOME_DONE, STEP_KIND_COUNT);
	assert_is(&on_the_host);
}

/* The proof that was waived: the unbind is it, unless the device can do DMA still. */
static void test_a_waived_proof(void **state)
{
	const struct plan plan =
		PLAN(STEP(PROVE_NO_HOLDER, CARD, .number = 1), STEP(PROVE_GROUP_FREE, CARD, .number = 1),
		     STEP(PROVE_UNBOUND, CARD, .number = PROOF_BY_UNBIND), STEP(BUS_MASTER_OFF, CARD),
		     STEP(UNBIND_VFIO, CARD, .before = "vfio-pci"), STEP(RESET, CARD, .number = RESET_REQUIRE),
		     STEP(RESTORE, CARD, .value = "card"), STEP(RESTORE, SIBLING, .value = "e1000"));

	begin(&claimed);
	host.is_held = true;
	release_is(&plan, WIRE_OUTCOME_DONE, STEP_KIND_COUNT);
	assert_is(&on_the_host);
	begin(&claimed);
	host.is_held = host.bus_master = true;
	release_is(&plan, WIRE_OUTCOME_HELD, STEP_BUS_MASTER_OFF);
	assert_is(&claimed);
}

/* A device that can do DMA though nobody has it is left alone, and its group with it. */
static void test_bus_mastering_has_to_be_off(void **state)
{
	begin(&claimed);
	host.bus_master = true;
	release_is(&give_back, WIRE_OUTCOME_BROKEN, STEP_BUS_MASTER_OFF);
	assert_is(&claimed);
	/* Of one that is not on VFIO it is nobody's business. */
	begin(&on_the_host);
	host.bus_master = true;
	release_is(&give_back, WIRE_OUTCOME_DONE, STEP_KIND_COUNT);
	assert_is(&on_the_host);
}

static void test_resets(void **state)
{
	const struct plan tries = PLAN(STEP(RESET, CARD, .number = RESET_TRY), STEP(RESET, CARD, .number = RESET_SKIP));
	struct wire_result result;

	begin(&claimed);
	host.reset_error = -ENOTTY;
	release_is(&give_back, WIRE_OUTCOME_NO_RESET, STEP_RESET);
	assert_is(&claimed);
	run_plan(&tries, true, false, &result);
	assert_int_equal(result.outcome, WIRE_OUTCOME_DONE);
	assert_string_equal(result.text, "it can't be reset");
}

/* What does not bear the mark is somebody else's by now. */
static void test_what_was_changed_meanwhile_stays(void **state)
{
	const struct plan restore = PLAN(STEP(RESTORE, CARD, .value = "card"));
	const struct plan all =
		PLAN(STEP(UNBIND_VFIO, CARD, .before = "vfio-pci"), STEP(RESTORE, CARD, .value = "card"));
	struct host_state changed = { .device = { { .driver = "other" } } };
	struct wire_result result;

	begin(&changed);
	run_plan(&restore, true, false, &result);
	assert_int_equal(result.error, EPERM);
	assert_is(&changed);
	host_set(changed.device[0].override, "vfio-pci");
	begin(&changed);
	run_plan(&restore, true, false, &result);
	assert_int_equal(result.error, EBUSY);
	assert_is(&changed);
	/* One that was on VFIO without an override is marked by the plan that unbinds it. */
	host_set(changed.device[0].override, "");
	host_set(changed.device[0].driver, "vfio-pci");
	begin(&changed);
	run_plan(&all, true, false, &result);
	assert_int_equal(result.outcome, WIRE_OUTCOME_DONE);
	assert_string_equal(host.now.device[0].driver, "card");
}

static void test_contexts_that_are_emptied(void **state)
{
	const struct plan plan = PLAN(STEP(UNMAP, ""));
	struct wire_result result;

	begin(&claimed);
	host.passed_is_container = true;
	release_is(&plan, WIRE_OUTCOME_DONE, STEP_KIND_COUNT);
	assert_int_equal(host.emptied, 1);
	run_plan(&plan, true, false, &result);
	assert_int_equal(result.error, EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_call_of_a_claim_fails),
		cmocka_unit_test(test_each_call_waits),
		cmocka_unit_test(test_each_call_of_an_undo_fails_and_waits),
		cmocka_unit_test(test_the_failing_step_is_undone),
		cmocka_unit_test(test_a_device_goes_while_it_is_claimed),
		cmocka_unit_test(test_a_device_goes_while_it_is_released),
		cmocka_unit_test(test_claims_that_make_no_sense),
		cmocka_unit_test(test_each_call_of_a_release_fails),
		cmocka_unit_test(test_who_has_the_device_is_waited_for),
		cmocka_unit_test(test_a_waived_proof),
		cmocka_unit_test(test_bus_mastering_has_to_be_off),
		cmocka_unit_test(test_resets),
		cmocka_unit_test(test_what_was_changed_meanwhile_stays),
		cmocka_unit_test(test_contexts_that_are_emptied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
