/* Plans: which steps, in which order, for claims and releases. */
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

static const struct delivery attached = { .mode = MODE_ATTACHED }, opened = { .mode = MODE_OPEN };
static const struct giving_back all_of_it = { .pin = false };

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
	assert_int_equal(plan_for_claim(&plan, device, COUNT(device), &(struct delivery){ .memlock = 65536 }), 0);
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

	assert_int_equal(plan_for_claim(&plan, device, 1, &opened), 0);
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
	assert_int_equal(plan_for_claim(&plan, device, 2, &attached), 0);
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
	assert_int_equal(plan_for_claim(&plan, device, 1, &(struct delivery){ .grows = true, .ioas_id = 7 }), 0);
	assert_steps(&plan, steps, COUNT(steps));
	plan_done(&plan);
}

/* Without iommufd: one container, each group once, for the first of its devices; each device by its group. */
static void test_claim_by_group(void **state)
{
	static const char *const steps[] = {
		"override 0000:01:00.0 vfio-pci - 0",
		"override 0000:02:00.0 vfio-pci - 0",
		"override 0000:01:00.2 ioasidd-locked-out - 0",
		"unbind 0000:01:00.0 - e1000 0",
		"unbind 0000:02:00.0 - nvme 0",
		"unbind 0000:01:00.2 - ahci 0",
		"probe 0000:01:00.0 vfio-pci - 0",
		"probe 0000:02:00.0 vfio-pci - 0",
		"container - - - 0",
		"group 0000:01:00.0 - - 0",
		"group 0000:02:00.0 - - 0",
		"group-device 0000:01:00.0 - - 0",
		"group-device 0000:01:00.1 - - 0",
		"group-device 0000:02:00.0 - - 0",
		"memlock - - - 4096",
	};
	struct claim_device device[] = {
		locked_out(device_of("0000:01:00.2", 1, "ahci")),
		asked(device_of("0000:01:00.0", 1, "e1000")),
		asked(vfio_device_of("0000:01:00.1", 1)),
		asked(device_of("0000:02:00.0", 2, "nvme")),
	};
	const struct delivery delivery = { .interface = INTERFACE_GROUP, .memlock = 4096 };
	struct plan plan = { .step = NULL };

	assert_int_equal(plan_for_claim(&plan, device, COUNT(device), &delivery), 0);
	assert_steps(&plan, steps, COUNT(steps));
	/* A member that is locked out has no say in which of the others opens the group. */
	assert_true(plan_opens_group(device, 1, &delivery));
	assert_false(plan_opens_group(device, 2, &delivery));
	assert_true(plan_opens_group(device, 3, &delivery));
	plan_done(&plan);
}

/* The client opens what is in a group that it has; other groups come as in a new claim. */
static void test_claim_by_group_grows(void **state)
{
	static const char *const steps[] = {
		"override 0000:01:00.1 vfio-pci ioasidd-locked-out 0",
		"probe 0000:01:00.1 vfio-pci - 0",
		"container - - - 1",
		"group 0000:02:00.0 - - 0",
		"group-device 0000:01:00.1 - - 1",
		"group-device 0000:02:00.0 - - 0",
	};
	struct claim_device device[] = {
		asked(device_of("0000:01:00.1", 1, "")),
		asked(vfio_device_of("0000:02:00.0", 2)),
	};
	struct delivery delivery = {
		.interface = INTERFACE_GROUP,
		.grows = true,
		.group = { 9, 1 },
		.group_count = 2,
	};
	struct plan plan = { .step = NULL };

	strcpy(device[0].before.driver_override, PINNED_OVERRIDE);
	assert_int_equal(plan_for_claim(&plan, device, 2, &delivery), 0);
	assert_steps(&plan, steps, COUNT(steps));
	assert_false(plan_opens_group(device, 0, &delivery));
	assert_true(plan_opens_group(device, 1, &delivery));
	plan_done(&plan);
}

/* What takes a member off VFIO that nobody asked for: who may open the group's node could open it, too. */
#define MEMBER_OFF_VFIO "override 0000:01:00.1 ioasidd-locked-out vfio-pci 0", "unbind 0000:01:00.1 - vfio-pci 0"

/* Rights to nodes: with iommufd, with iommufd and groups, and without iommufd. */
static void test_claim_by_node(void **state)
{
	static const char *const steps[][7] = {
		{ "context - - - 0", "grant 0000:01:00.0 - - 1000", "grant 0000:02:00.0 - - 1000", "memlock - - - 1" },
		{ MEMBER_OFF_VFIO, "context - - - 0", "grant - - - 1000", "grant 0000:01:00.0 - - 1000",
		  "grant 0000:02:00.0 - - 1000", "memlock - - - 1" },
		{ MEMBER_OFF_VFIO, "grant - - - 1000", "grant 0000:01:00.0 - - 1000", "grant 0000:02:00.0 - - 1000",
		  "memlock - - - 1" },
		{ "context - - - 1", "grant 0000:01:00.0 - - 1000", "grant 0000:02:00.0 - - 1000", "memlock - - - 1" },
	};
	static const struct delivery way[COUNT(steps)] = {
		{ .mode = MODE_NODE, .uid = 1000, .memlock = 1 },
		{ .mode = MODE_NODE, .uid = 1000, .memlock = 1, .groups = true },
		{ .mode = MODE_NODE, .uid = 1000, .memlock = 1, .interface = INTERFACE_GROUP },
		{ .mode = MODE_NODE, .uid = 1000, .memlock = 1, .grows = true, .ioas_id = 5 },
	};
	struct claim_device device[] = {
		asked(vfio_device_of("0000:01:00.0", 1)),
		locked_out(vfio_device_of("0000:01:00.1", 1)),
		asked(vfio_device_of("0000:02:00.0", 2)),
	};

	for (size_t i = 0; i < COUNT(steps); i++) {
		struct plan plan = { .step = NULL };
		size_t count = 0;

		while (count < COUNT(steps[i]) && steps[i][count])
			count++;
		assert_int_equal(plan_for_claim(&plan, device, COUNT(device), &way[i]), 0);
		assert_steps(&plan, steps[i], count);
		plan_done(&plan);
	}
}

static void test_revocation_and_unmapping(void **state)
{
	static const char *const steps[] = {
		"unmap - - - 7",
		"revoke 0000:01:00.0 - - 1000",
		"revoke 0000:01:00.0 - - 1001",
		"revoke - - - 1001",
	};
	struct claim_device device[] = {
		asked(vfio_device_of("0000:01:00.0", 1)),
		locked_out(vfio_device_of("0000:01:00.1", 1)),
		asked(device_of("0000:00:1c.0", 1, "pcieport")),
	};
	struct plan plan = { .step = NULL };

	device[2].before.pci.bridge = 1;
	assert_int_equal(plan_for_unmapping(&plan, 7), 0);
	assert_int_equal(plan_for_revocation(&plan, device, COUNT(device), 1000, false), 0);
	assert_int_equal(plan_for_revocation(&plan, device, COUNT(device), 1001, true), 0);
	assert_steps(&plan, steps, COUNT(steps));
	plan_done(&plan);
}

static void test_claim_modes_not_served(void **state)
{
	struct claim_device device[] = { asked(device_of("0000:01:00.1", 1, "")) };
	struct plan plan = { .step = NULL };

	static const struct delivery bad[] = {
		{ .mode = MODE_BROKERED },
		{ .mode = MODE_BROKERED, .interface = INTERFACE_GROUP },
		{ .mode = MODE_OPEN, .interface = INTERFACE_GROUP },
	};

	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(plan_for_claim(&plan, device, 1, &bad[i]), -EINVAL);
	assert_int_equal(plan.count, 0);
}

/* For any mix of devices: no probe before the last unbind, no unbind before the last override, opens after probes. */
static void test_claim_order_at_random(void **state)
{
	static const enum delivery_mode modes[] = { MODE_ATTACHED, MODE_NODE };
	struct dice dice = dice_of(4);

	for (unsigned round = 0; round < 500; round++) {
		struct claim_device device[20];
		size_t count = 1 + dice_roll(&dice, COUNT(device));
		struct plan plan = { .step = NULL };
		uint32_t last = STEP_OVERRIDE;
		size_t kinds[STEP_KIND_COUNT] = { 0 }, taken = 0, moved = 0, bound = 0, probed = 0;
		struct delivery way = { .mode = modes[dice_roll(&dice, COUNT(modes))],
					.memlock = 1,
					.uid = 1000,
					.interface = dice_roll(&dice, 2) ? INTERFACE_GROUP : INTERFACE_IOMMUFD };
		bool fds = way.mode == MODE_ATTACHED, group = way.interface == INTERFACE_GROUP;

		for (size_t i = 0; i < count; i++) {
			char name[DEVICE_NAME_MAX];
			bool on_vfio = dice_roll(&dice, 4) == 0;

			snprintf(name, sizeof name, "0000:01:%02zx.0", i);
			device[i] = asked(on_vfio ? vfio_device_of(name, 1)
						  : device_of(name, 1, dice_roll(&dice, 3) ? "e1000" : ""));
			device[i].lockout = dice_roll(&dice, 2) == 0;
			/* Who has the group open could open a member, too, that is kept on VFIO. */
			bool moves = !on_vfio || (device[i].lockout && group);

			taken += !device[i].lockout;
			moved += moves;
			bound += moves && device[i].before.driver[0];
			probed += moves && !device[i].lockout;
		}
		assert_int_equal(plan_for_claim(&plan, device, count, &way), 0);
		for (size_t i = 0; i < plan.count; i++) {
			assert_true(plan.step[i].kind >= last); /* the kinds are numbered in this order */
			last = plan.step[i].kind;
			kinds[last]++;
		}
		assert_int_equal(kinds[STEP_OVERRIDE], moved);
		assert_int_equal(kinds[STEP_UNBIND], bound);
		assert_int_equal(kinds[STEP_PROBE], probed);
		assert_int_equal(kinds[STEP_CONTEXT], !group);
		assert_int_equal(kinds[STEP_CONTAINER], group && fds);
		assert_int_equal(kinds[STEP_GROUP], group && fds && taken > 0);
		assert_int_equal(kinds[STEP_GROUP_DEVICE], group && fds ? taken : 0);
		assert_int_equal(kinds[STEP_OPEN], !group && fds ? taken : 0);
		assert_int_equal(kinds[STEP_ATTACH], !group && fds ? taken : 0);
		assert_int_equal(kinds[STEP_GRANT], fds ? 0 : taken + group);
		assert_int_equal(kinds[STEP_MEMLOCK], 1);
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
	device[3].before.pci.bridge = 1;
	assert_int_equal(plan_for_release(&plan, device, COUNT(device), &all_of_it), 0);
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
	assert_int_equal(plan_for_release(&plan, device, 1, &(struct giving_back){ .pin = true }), 0);
	assert_steps(&plan, steps, COUNT(steps));
	plan_done(&plan);
}

/* An operator has waived the proof that the kernel refuses: the reset comes after the unbind, which is the proof then.
 */
static void test_release_by_unbind(void **state)
{
	static const char *const steps[] = {
		"prove-no-holder 0000:01:00.0 - - 0", "prove-unbound 0000:01:00.0 - - 2",
		"bus-master-off 0000:01:00.0 - - 0",  "unbind-vfio 0000:01:00.0 - vfio-pci 0",
		"reset 0000:01:00.0 - - 0",           "restore 0000:01:00.0 e1000 - 0",
	};
	struct claim_device device[] = { asked(device_of("0000:01:00.0", 1, "e1000")) };
	struct plan plan = { .step = NULL };

	assert_int_equal(plan_for_release(&plan, device, 1, &(struct giving_back){ .by_unbind = true }), 0);
	assert_steps(&plan, steps, COUNT(steps));
	plan_done(&plan);
}

/* Without iommufd it is the group that shows that nobody has it; one that goes on being held shows nothing. */
static void test_release_by_group(void **state)
{
	static const char *const steps[][6] = {
		{ "prove-no-holder 0000:01:00.0 - - 0", "prove-group-free 0000:01:00.0 - - 0",
		  "bus-master-off 0000:01:00.0 - - 0", "reset 0000:01:00.0 - - 0",
		  "unbind-vfio 0000:01:00.0 - vfio-pci 0", "restore 0000:01:00.0 e1000 - 0" },
		{ "prove-no-holder 0000:01:00.0 - - 1", "prove-group-free 0000:01:00.0 - - 1",
		  "bus-master-off 0000:01:00.0 - - 0", "reset 0000:01:00.0 - - 0",
		  "unbind-vfio 0000:01:00.0 - vfio-pci 0", "restore 0000:01:00.0 - ioasidd-locked-out 0" },
	};
	struct claim_device device[] = { asked(device_of("0000:01:00.0", 1, "e1000")) };

	for (int pin = 0; pin < 2; pin++) {
		const struct giving_back how = { .interface = INTERFACE_GROUP, .pin = pin == 1 };
		struct plan plan = { .step = NULL };

		assert_int_equal(plan_for_release(&plan, device, 1, &how), 0);
		assert_steps(&plan, steps[pin], 6);
		plan_done(&plan);
	}
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
	assert_int_equal(plan_for_release(&plan, device, COUNT(device), &all_of_it), 0);
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
	assert_int_equal(plan_for_claim(&plan, device, COUNT(device), &opened), -E2BIG);
	for (size_t i = 0; i < COUNT(device); i++)
		device[i].lockout = false;
	assert_int_equal(plan_for_release(&plan, device, COUNT(device), &all_of_it), -E2BIG);
	assert_int_equal(plan_add(&plan, &step), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(plan_for_revocation(&plan, device, COUNT(device), 1000, true), i == 0 ? 0 : -E2BIG);
	assert_int_equal(plan.count, 1 + 1 + COUNT(device) + 1);
	plan.count = 1;
	for (size_t i = 0; i < COUNT(device); i++)
		device[i].lockout = true;
	assert_int_equal(plan_for_claim(&plan, device, 1000, &opened), 0);
	assert_int_equal(plan.count, 1 + 2000 + 1);
	for (unsigned i = 2002; i < PLAN_STEPS_MAX; i++)
		assert_int_equal(plan_add(&plan, &step), 0);
	assert_int_equal(plan_add(&plan, &step), -E2BIG);
	assert_int_equal(plan.count, PLAN_STEPS_MAX);
	plan_done(&plan);
	assert_int_equal(plan.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claim_attached),
		cmocka_unit_test(test_claim_open),
		cmocka_unit_test(test_claim_reserved),
		cmocka_unit_test(test_claim_grows_by_pinned),
		cmocka_unit_test(test_claim_by_group),
		cmocka_unit_test(test_claim_by_group_grows),
		cmocka_unit_test(test_claim_by_node),
		cmocka_unit_test(test_revocation_and_unmapping),
		cmocka_unit_test(test_claim_modes_not_served),
		cmocka_unit_test(test_claim_order_at_random),
		cmocka_unit_test(test_release),
		cmocka_unit_test(test_release_pinned),
		cmocka_unit_test(test_release_by_unbind),
		cmocka_unit_test(test_release_by_group),
		cmocka_unit_test(test_release_without_restore),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
