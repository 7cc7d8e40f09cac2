/*
 * What has to be done so that users can open their nodes: udev's work is undone for whoever may open a node still,
 * never for anybody else, and never beside a plan that is about the same rights.
 */
#include "tree.h"

#include "../../daemon/executor/devices/pci_device.h"
#include "../../daemon/executor/router/node_grants.h"
#include "plan_literal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#define CARD "0000:00:04.0"
#define OTHER "0000:00:05.0"
enum { ALICE = 1000, BOB = 1001 };

static struct tree tree;
static struct node_grants grants;

static void make_card(const char *name, const char *node, const char *number)
{
	tree_device(&tree, name, "0x1234", "0x11e8", "0x00ff00");
	tree_file(&tree, number, "sys/devices/pci0000:00/%s/vfio-dev/%s/dev", name, node);
}

static int begin(void **state)
{
	tree_begin(&tree);
	make_card(CARD, "vfio0", "511:0\n");
	make_card(OTHER, "vfio1", "511:1\n");
	grants = (struct node_grants){ .host = &tree.host };
	return 0;
}

static int end(void **state)
{
	node_grants_done(&grants);
	tree_end(&tree);
	return 0;
}

/* A plan of one step, about the device that is there now. */
static struct plan plan_of(struct step *step, enum step_kind kind, const char *device, uint64_t number)
{
	*step = (struct step){ .kind = kind, .number = number };
	memcpy(step->device, device, strlen(device) + 1);
	if (*device) {
		int folder = pci_device_open(&tree.host, device);

		assert_int_equal(pci_device_identity(folder, &step->identity), 0);
		close(folder);
	}
	return (struct plan){ .step = step, .count = 1 };
}

static void take_up(const char *device, uid_t uid, bool again)
{
	struct step step;
	struct plan plan = plan_of(&step, STEP_GRANT, device, uid);

	node_grants_take_up(&grants, &plan, again);
}

static void withdraw(enum step_kind kind, const char *device, uid_t uid)
{
	struct step step;
	struct plan plan = plan_of(&step, kind, device, uid);

	node_grants_withdraw(&grants, &plan);
}

static void give_up(const char *device, uid_t uid)
{
	struct step step;
	struct plan plan = plan_of(&step, STEP_GRANT, device, uid);

	node_grants_give_up(&grants, &plan);
}

static void assert_next(enum step_kind kind, const char *device, uid_t uid)
{
	struct step step, wanted;

	plan_of(&wanted, kind, device, uid);
	assert_true(node_grants_next(&grants, &step));
	assert_true(step_equals(&step, &wanted));
}

static void assert_none(void)
{
	struct step step;

	assert_false(node_grants_next(&grants, &step));
}

static void udev_is_at_work(void **state)
{
	node_grants_renew(&grants, NULL);
	assert_none();
	take_up(CARD, ALICE, false);
	take_up(OTHER, BOB, false);
	assert_none();
	node_grants_renew(&grants, "vfio/devices/vfio1");
	node_grants_renew(&grants, "vfio/devices/vfio1");
	assert_next(STEP_GRANT, OTHER, BOB);
	assert_none();
	node_grants_renew(&grants, "vfio/devices/vfio7");
	assert_none();
	node_grants_renew(&grants, NULL);
	assert_next(STEP_GRANT, CARD, ALICE);
	assert_next(STEP_GRANT, OTHER, BOB);
	assert_none();
	/* It was at work while a binder granted, too. */
	take_up(CARD, ALICE, true);
	assert_next(STEP_GRANT, CARD, ALICE);
	assert_none();
}

static void what_is_taken_back_is_not_renewed(void **state)
{
	take_up(CARD, ALICE, false);
	take_up(CARD, BOB, false);
	node_grants_renew(&grants, NULL);
	withdraw(STEP_REVOKE, CARD, ALICE);
	assert_next(STEP_GRANT, CARD, BOB);
	assert_none();
	node_grants_renew(&grants, NULL);
	withdraw(STEP_UNBIND_VFIO, CARD, 0);
	assert_none();
	node_grants_renew(&grants, NULL);
	assert_none();
}

/* Another device has taken the name: it is nobody's. */
static void another_device(void **state)
{
	take_up(CARD, ALICE, false);
	tree_remove(&tree, "sys/devices/pci0000:00/%s", CARD);
	make_card(CARD, "vfio0", "511:0\n");
	tree_file(&tree, "0x5678\n", "sys/devices/pci0000:00/%s/vendor", CARD);
	node_grants_renew(&grants, NULL);
	assert_none();
}

/* The container's entry goes with the last claim that needs it. */
static void a_claim_is_undone(void **state)
{
	give_up("", ALICE);
	assert_next(STEP_REVOKE, "", ALICE);
	assert_none();
	give_up("", ALICE);
	take_up("", ALICE, false);
	assert_none();
	give_up("", ALICE);
	assert_none();
	/* What a binder did not get done is given out again, if it is wanted still. */
	node_grants_add_task(&grants, &(struct step){ .kind = STEP_REVOKE, .number = BOB });
	node_grants_add_task(&grants, &(struct step){ .kind = STEP_REVOKE, .number = ALICE });
	assert_next(STEP_REVOKE, "", BOB);
	assert_none();
}

static void what_meets(void **state)
{
	static const struct step grant = STEP(GRANT, CARD, .number = ALICE);
	const struct {
		struct step step;
		bool meets;
	} cases[] = {
		{ STEP(GRANT, CARD, .number = ALICE), true },  { STEP(REVOKE, CARD, .number = ALICE), true },
		{ STEP(REVOKE, CARD, .number = BOB), false },  { STEP(UNBIND_VFIO, CARD), true },
		{ STEP(UNBIND_VFIO, OTHER), false },           { STEP(REVOKE, "", .number = ALICE), false },
		{ STEP(RESET, CARD, .number = ALICE), false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct step step = cases[i].step;

		assert_int_equal(node_grants_meet(&grant, &(struct plan){ .step = &step, .count = 1 }), cases[i].meets);
	}
	assert_false(node_grants_meet(&grant, &(struct plan){ .count = 0 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(udev_is_at_work, begin, end),
		cmocka_unit_test_setup_teardown(what_is_taken_back_is_not_renewed, begin, end),
		cmocka_unit_test_setup_teardown(another_device, begin, end),
		cmocka_unit_test_setup_teardown(a_claim_is_undone, begin, end),
		cmocka_unit_test(what_meets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
