/* Plans: which steps, in which order, for claims and releases; and what a step may look like. */
#include "fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct claim_device asked(struct device device)
{
	return (struct claim_device){ .before = device, .reset = RESET_REQUIRE, .restore = true };
}

static struct claim_device locked_out(struct device device)
{
	return (struct claim_device){ .before = device, .lockout = true, .restore = true };
}

/* Compares a plan with lines of "kind device value before number", where "-" is nothing. */
static void assert_steps(const struct plan *plan, const char *const *lines, size_t count)
{
	for (size_t i = 0; i < plan->count && i < count; i++) {
		const struct step *step = &plan->step[i];
		char line[256];

		assert_true(step_is_sane(step));
		snprintf(line, sizeof line, "%s %s %s %s %llu", step_kind_to_string((enum step_kind)step->kind),
			 step->device[0] ? step->device : "-", step->value[0] ? step->value : "-",
			 step->before[0] ? step->before : "-", (unsigned long long)step->number);
		assert_string_equal(line, lines[i]);
	}
	assert_int_equal(plan->count, count);
}

static void test_claim_attached(void **state)
{
	static const char *const steps[] = {
		"override 0000:01:00.0 vfio-pci - 0",
		"override 0000:01:00.1 vfio-pci other 0",
		"override 0000:01:00.2 ioasidd-locked-out - 0",
		"override 0000:01:00.3 ioasidd-locked-out - 0",
		"unbind 0000:01:00.0 - e1000 0",
		"unbind 0000:01:00.2 - ahci 0",
		"probe 0000:01:00.0 vfio-pci - 0",
		"probe 0000:01:00.1 vfio-pci - 0",
		"context - - - 0",
		"open 0000:01:00.0 - - 0",
		"open 0000:01:00.1 - - 0",
		"bind 0000:01:00.0 - - 0",
		"bind 0000:01:00.1 - - 0",
		"ioas - - - 0",
		"attach 0000:01:00.0 - - 0",
		"attach 0000:01:00.1 - - 0",
		"memlock - - - 65536",
	};
	/* The lockout stands first and moves last all the same. */
	struct claim_device device[] = {
		locked_out(device_of("0000:01:00.2", 1, "ahci")),
		asked(device_of("0000:01:00.0", 1, "e1000")),
		asked(device_of("0000:01:00.1", 1, "")),
		locked_out(device_of("0000:01:00.3", 1, "")),
	};
	struct plan plan = { .step = NULL };

	strcpy(device[2].before.driver_override, "other");
	assert_int_equal(plan_for_claim(&plan, device, COUNT(device), MODE_ATTACHED, false, 0, 65536), 0);
	assert_steps(&plan, steps, COUNT(steps));
	assert_int_equal(plan.step[0].identity, device[1].before.identity);
	assert_int_equal(plan.step[8].identity, 0);
	plan_done(&plan);
}

static void test_claim_open(void **state)
{
	static const char *const steps[] = {
		"override 0000:01:00.0 vfio-pci - 0",
		"unbind 0000:01:00.0 - e1000 0",
		"probe 0000:01:00.0 vfio-pci - 0",
		"context - - - 0",
		"open 0000:01:00.0 - - 0",
	};
	struct claim_device device[] = { asked(device_of("0000:01:00.0", 1, "e1000")) };
	struct plan plan = { .step = NULL };

	assert_int_equal(plan_for_claim(&plan, device, 1, MODE_OPEN, false, 0, 0), 0);
	assert_steps(&plan, steps, COUNT(steps));
	plan_done(&plan);
}

/* A device on a VFIO driver already, whichever, is neither moved nor probed; nor is such a member. */
static void test_claim_reserved(void **state)
{
	static const char *const steps[] = {
		"context - - - 0", "open 0000:01:00.0 - - 0",   "bind 0000:01:00.0 - - 0",
		"ioas - - - 0",    "attach 0000:01:00.0 - - 0",
	};
	struct claim_device device[] = {
		asked(vfio_device_of("0000:01:00.0", 1)),
		locked_out(vfio_device_of("0000:01:00.1", 1)),
	};
	struct plan plan = { .step = NULL };

	strcpy(device[0].before.driver, "mlx5_vfio_pci");
	assert_int_equal(plan_for_claim(&plan, device, 2, MODE_ATTACHED, false, 0, 0), 0);
	assert_steps(&plan, steps, COUNT(steps));
	plan_done(&plan);
}

/* A claim that grows by a member that it had pinned: no unbind, the passed context and its IOAS. */
static void test_claim_grows_by_pinned(void **state)
{
	static const char *const steps[] = {
		"override 0000:01:00.1 vfio-pci ioasidd-locked-out 0",
		"probe 0000:01:00.1 vfio-pci - 0",
		"context - - - 1",
		"open 0000:01:00.1 - - 0",
		"bind 0000:01:00.1 - - 0",
		"ioas - - - 7",
		"attach 0000:01:00.1 - - 0",
	};
	struct claim_device device[] = { asked(device_of("0000:01:00.1", 1, "")) };
	struct plan plan = { .step = NULL };

	strcpy(device[0].before.driver_override, PINNED_OVERRIDE);
	assert_int_equal(plan_for_claim(&plan, device, 1, MODE_ATTACHED, true, 7, 0), 0);
	assert_steps(&plan, steps, COUNT(steps));
	plan_done(&plan);
}

static void test_claim_modes_not_served(void **state)
{
	struct claim_device device[] = { asked(device_of("0000:01:00.1", 1, "")) };
	struct plan plan = { .step = NULL };

	assert_int_equal(plan_for_claim(&plan, device, 1, MODE_NODE, false, 0, 0), -EINVAL);
	assert_int_equal(plan_for_claim(&plan, device, 1, MODE_BROKERED, false, 0, 0), -EINVAL);
	assert_int_equal(plan.count, 0);
}

/* For any mix of devices: no probe before the last unbind, no unbind before the last override, opens after probes. */
static void test_claim_order_at_random(void **state)
{
	struct dice dice = dice_of(4);

	for (unsigned round = 0; round < 500; round++) {
		struct claim_device device[20];
		size_t count = 1 + dice_roll(&dice, COUNT(device));
		struct plan plan = { .step = NULL };
		uint32_t last = STEP_OVERRIDE;
		size_t kinds[STEP_KIND_COUNT] = { 0 }, opened = 0, moved = 0, bound = 0, probed = 0;

		for (size_t i = 0; i < count; i++) {
			char name[DEVICE_NAME_MAX];
			bool on_vfio = dice_roll(&dice, 4) == 0;

			snprintf(name, sizeof name, "0000:01:%02zx.0", i);
			device[i] = asked(on_vfio ? vfio_device_of(name, 1)
						  : device_of(name, 1, dice_roll(&dice, 3) ? "e1000" : ""));
			device[i].lockout = dice_roll(&dice, 2) == 0;
			opened += !device[i].lockout;
			moved += !on_vfio;
			bound += !on_vfio && device[i].before.driver[0];
			probed += !on_vfio && !device[i].lockout;
		}
		assert_int_equal(plan_for_claim(&plan, device, count, MODE_ATTACHED, false, 0, 1), 0);
		for (size_t i = 0; i < plan.count; i++) {
			assert_true(plan.step[i].kind >= last); /* the kinds are numbered in this order */
			last = plan.step[i].kind;
			kinds[last]++;
		}
		assert_int_equal(kinds[STEP_OVERRIDE], moved);
		assert_int_equal(kinds[STEP_UNBIND], bound);
		assert_int_equal(kinds[STEP_PROBE], probed);
		assert_int_equal(kinds[STEP_CONTEXT], 1);
		assert_int_equal(kinds[STEP_OPEN], opened);
		assert_int_equal(kinds[STEP_ATTACH], opened);
		plan_done(&plan);
	}
}

static void test_release(void **state)
{
	static const char *const steps[] = {
		"prove-no-holder 0000:01:00.0 - - 0",
		"prove-no-holder 0000:01:00.1 - - 0",
		"prove-unbound 0000:01:00.0 - - 0",
		"prove-unbound 0000:01:00.1 - - 0",
		"bus-master-off 0000:01:00.0 - - 0",
		"bus-master-off 0000:01:00.1 - - 0",
		"reset 0000:01:00.0 - - 0",
		"reset 0000:01:00.1 - - 1",
		"unbind-vfio 0000:01:00.0 - vfio-pci 0",
		"unbind-vfio 0000:01:00.1 - mlx5_vfio_pci 0",
		"restore 0000:01:00.0 e1000 - 0",
		"restore 0000:01:00.1 mlx5_vfio_pci vfio-pci 0",
		"restore 0000:01:00.2 ahci mine 0",
		"restore 0000:01:00.3 pcieport - 0",
	};
	struct claim_device device[] = {
		asked(device_of("0000:01:00.0", 1, "e1000")),
		asked(vfio_device_of("0000:01:00.1", 1)),
		locked_out(device_of("0000:01:00.2", 1, "ahci")),
		asked(device_of("0000:01:00.3", 1, "pcieport")),
	};
	struct plan plan = { .step = NULL };

	device[1].reset = RESET_TRY;
	strcpy(device[1].before.driver, "mlx5_vfio_pci");
	strcpy(device[2].before.driver_override, "mine");
	device[3].before.bridge = 1;
	assert_int_equal(plan_for_release(&plan, device, COUNT(device), false), 0);
	assert_steps(&plan, steps, COUNT(steps));
	plan_done(&plan);
}

/* A claim shrinks: the device ends pinned, proven in the passed context. */
static void test_release_pinned(void **state)
{
	static const char *const steps[] = {
		"prove-no-holder 0000:01:00.0 - - 0",          "prove-unbound 0000:01:00.0 - - 1",
		"bus-master-off 0000:01:00.0 - - 0",           "unbind-vfio 0000:01:00.0 - vfio-pci 0",
		"restore 0000:01:00.0 - ioasidd-locked-out 0",
	};
	struct claim_device device[] = { asked(device_of("0000:01:00.0", 1, "e1000")) };
	struct plan plan = { .step = NULL };

	device[0].reset = RESET_SKIP;
	assert_int_equal(plan_for_release(&plan, device, 1, true), 0);
	assert_steps(&plan, steps, COUNT(steps));
	plan_done(&plan);
}

/* Where the rule wants no drivers back: ready for the next claim, and members stay pinned. */
static void test_release_without_restore(void **state)
{
	static const char *const ends[] = {
		"restore 0000:01:00.0 vfio-pci vfio-pci 0",
		"restore 0000:01:00.1 - ioasidd-locked-out 0",
		"restore 0000:01:00.2 vfio-pci vfio-pci 0",
	};
	struct claim_device device[] = {
		asked(device_of("0000:01:00.0", 1, "e1000")),
		locked_out(device_of("0000:01:00.1", 1, "ahci")),
		locked_out(vfio_device_of("0000:01:00.2", 1)),
	};
	struct plan plan = { .step = NULL }, end;

	for (size_t i = 0; i < COUNT(device); i++)
		device[i].restore = false;
	assert_int_equal(plan_for_release(&plan, device, COUNT(device), false), 0);
	assert_int_equal(plan.count, 5 + 3);
	end = (struct plan){ .step = plan.step + 5, .count = 3 };
	assert_steps(&end, ends, COUNT(ends));
	plan_done(&plan);
}

/* What was in the plan before stays, also where it gets too long. */
static void test_too_long(void **state)
{
	static struct claim_device device[1100];
	struct step step = { .kind = STEP_CONTEXT };
	struct plan plan = { .step = NULL };

	for (size_t i = 0; i < COUNT(device); i++) {
		char name[DEVICE_NAME_MAX];

		snprintf(name, sizeof name, "0000:%02zx:%02zx.0", i / 32, i % 32);
		device[i] = locked_out(device_of(name, 1, "e1000"));
	}
	assert_int_equal(plan_add(&plan, &step), 0);
	assert_int_equal(plan_for_claim(&plan, device, COUNT(device), MODE_OPEN, false, 0, 0), -E2BIG);
	assert_int_equal(plan.count, 1);
	assert_int_equal(plan_for_claim(&plan, device, 1000, MODE_OPEN, false, 0, 0), 0);
	assert_int_equal(plan.count, 1 + 2000 + 1);
	for (unsigned i = 2002; i < PLAN_STEPS_MAX; i++)
		assert_int_equal(plan_add(&plan, &step), 0);
	assert_int_equal(plan_add(&plan, &step), -E2BIG);
	assert_int_equal(plan.count, PLAN_STEPS_MAX);
	plan_done(&plan);
	assert_int_equal(plan.count, 0);
}

static struct step step_of(enum step_kind kind, const char *device, const char *value, const char *before,
			   uint64_t number)
{
	struct step step = { .kind = kind, .number = number };

	snprintf(step.device, sizeof step.device, "%s", device);
	snprintf(step.value, sizeof step.value, "%s", value);
	snprintf(step.before, sizeof step.before, "%s", before);
	return step;
}

static void test_sanity(void **state)
{
	static const char d[] = "0000:01:00.0";
	const struct step bad[] = {
		step_of(STEP_KIND_COUNT, d, "", "", 0),
		step_of(STEP_OVERRIDE, "", "vfio-pci", "", 0),
		step_of(STEP_OVERRIDE, d, "", "", 0),
		step_of(STEP_OVERRIDE, d, "a/b", "", 0),
		step_of(STEP_OVERRIDE, d, "vfio-pci", "a b", 0),
		step_of(STEP_OVERRIDE, d, "vfio-pci", "", 1),
		step_of(STEP_OVERRIDE, "0000:01:00", "vfio-pci", "", 0),
		step_of(STEP_OVERRIDE, "0000:0A:00.0", "vfio-pci", "", 0),
		step_of(STEP_OVERRIDE, "../0000:01:00.0", "vfio-pci", "", 0),
		step_of(STEP_UNBIND, d, "", "", 0),
		step_of(STEP_UNBIND, d, "x", "e1000", 0),
		step_of(STEP_PROBE, d, "", "", 0),
		step_of(STEP_PROBE, d, "vfio-pci", "x", 0),
		step_of(STEP_CONTEXT, d, "", "", 0),
		step_of(STEP_CONTEXT, "", "", "", 2),
		step_of(STEP_CONTEXT, "", "x", "", 0),
		step_of(STEP_OPEN, "", "", "", 0),
		step_of(STEP_OPEN, d, "x", "", 0),
		step_of(STEP_BIND, d, "", "", 3),
		step_of(STEP_IOAS, "", "", "", UINT64_C(1) << 32),
		step_of(STEP_IOAS, d, "", "", 0),
		step_of(STEP_MEMLOCK, "", "", "", 0),
		step_of(STEP_PROVE_UNBOUND, d, "", "", 2),
		step_of(STEP_RESET, d, "", "", RESET_DEMAND_COUNT),
		step_of(STEP_UNBIND_VFIO, d, "", "", 0),
		step_of(STEP_RESTORE, d, "..", "", 0),
		step_of(STEP_RESTORE, "", "", "", 0),
	};
	struct step step;

	for (size_t i = 0; i < COUNT(bad); i++)
		if (step_is_sane(&bad[i]))
			fail_msg("bad step %zu is taken for sane", i);
	step = step_of(STEP_OVERRIDE, d, "vfio-pci", "", 0);
	assert_true(step_is_sane(&step));
	step.reserved = 1;
	assert_false(step_is_sane(&step));
	step = step_of(STEP_CONTEXT, "", "", "", 0);
	step.identity = 1;
	assert_false(step_is_sane(&step));
	for (unsigned field = 0; field < 3; field++) {
		step = step_of(STEP_RESTORE, d, "e1000", "", 0);
		assert_true(step_is_sane(&step));
		memset(field == 0 ? step.device : field == 1 ? step.value : step.before, '0', DEVICE_NAME_MAX);
		assert_false(step_is_sane(&step));
	}
}

static void test_descriptions(void **state)
{
	static const char d[] = "0000:02:02.0";
	const struct {
		struct step step;
		const char *text;
	} cases[] = {
		{ step_of(STEP_UNBIND, d, "", "e1000", 0), "unbind e1000 from 0000:02:02.0" },
		{ step_of(STEP_OVERRIDE, d, PINNED_OVERRIDE, "", 0), "pin 0000:02:02.0 so that no driver binds to it" },
		{ step_of(STEP_PROBE, d, "vfio-pci", "", 0), "bind vfio-pci to 0000:02:02.0" },
		{ step_of(STEP_CONTEXT, "", "", "", 1), "use the claim's iommufd" },
		{ step_of(STEP_MEMLOCK, "", "", "", 64 << 20), "let the client lock 64 MiB of memory" },
		{ step_of(STEP_MEMLOCK, "", "", "", 5), "let the client lock 5 bytes of memory" },
		{ step_of(STEP_MEMLOCK, "", "", "", UINT64_MAX), "let the client lock any amount of memory" },
		{ step_of(STEP_RESTORE, d, "e1000", "", 0), "give 0000:02:02.0 back to the driver e1000" },
		{ step_of(STEP_RESTORE, d, "e1000", "x", 0),
		  "give 0000:02:02.0 back to the driver e1000, with driver_override x" },
		{ step_of(STEP_RESTORE, d, "", PINNED_OVERRIDE, 0),
		  "leave 0000:02:02.0 without a driver, pinned so that none binds" },
		{ step_of(STEP_RESET, d, "", "", RESET_TRY), "reset 0000:02:02.0 if it can be reset" },
	};
	char text[TEXT_MAX], other[TEXT_MAX];

	for (size_t i = 0; i < COUNT(cases); i++)
		assert_string_equal(step_describe(&cases[i].step, text, sizeof text), cases[i].text);
	/* Each kind has a sentence of its own. */
	for (unsigned i = 0; i < STEP_KIND_COUNT; i++) {
		struct step step = step_of((enum step_kind)i, d, "v", "b", 1);

		assert_non_null(step_kind_to_string((enum step_kind)i));
		step_describe(&step, text, sizeof text);
		assert_true(strlen(text) > 10);
		for (unsigned k = 0; k < i; k++) {
			step.kind = k;
			if (k != STEP_UNBIND || i != STEP_UNBIND_VFIO)
				assert_string_not_equal(step_describe(&step, other, sizeof other), text);
		}
	}
	assert_null(step_kind_to_string(STEP_KIND_COUNT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claim_attached),
		cmocka_unit_test(test_claim_open),
		cmocka_unit_test(test_claim_reserved),
		cmocka_unit_test(test_claim_grows_by_pinned),
		cmocka_unit_test(test_claim_modes_not_served),
		cmocka_unit_test(test_claim_order_at_random),
		cmocka_unit_test(test_release),
		cmocka_unit_test(test_release_pinned),
		cmocka_unit_test(test_release_without_restore),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_sanity),
		cmocka_unit_test(test_descriptions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
