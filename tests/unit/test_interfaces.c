/* Decisions on kernels with iommufd, with groups, with both, with neither: which interface, which modes, which plan. */
#include "decision_fixture.h"

#include <string.h>

#define MODES ", \"modes\": [\"attached\", \"open\", \"node\"]"
#define UNUSED ", \"lockout\": \"unused\", \"limits\": {\"devices\": 3}" MODES

static const struct kernel_features only_groups = { .vfio_group = 1, .release = "6.12.117-amd64" };

/* How many steps of a kind the plan has. */
static size_t count_steps(const struct decision *decision, enum step_kind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < decision->plan.count; i++)
		count += decision->plan.step[i].kind == kind;
	return count;
}

static const struct step *only_step(const struct decision *decision, enum step_kind kind)
{
	assert_int_equal(count_steps(decision, kind), 1);
	for (size_t i = 0; i < decision->plan.count; i++)
		if (decision->plan.step[i].kind == kind)
			return &decision->plan.step[i];
	return NULL;
}

static void test_which_interface(void **state)
{
	static const struct {
		struct kernel_features kernel;
		int interface;
	} row[] = {
		{ { .iommufd = 1, .vfio_cdev = 1 }, INTERFACE_IOMMUFD },
		{ { .iommufd = 1, .vfio_cdev = 1, .vfio_group = 1 }, INTERFACE_IOMMUFD },
		/* An iommufd is of no use where nothing can be bound to it. */
		{ { .iommufd = 1, .vfio_group = 1 }, INTERFACE_GROUP },
		{ { .vfio_cdev = 1, .vfio_group = 1 }, INTERFACE_GROUP },
		{ { .vfio_group = 1 }, INTERFACE_GROUP },
		{ { .iommufd = 1 }, -1 },
		{ { .vfio_cdev = 1 }, -1 },
		{ { .release = "5.4" }, -1 },
	};
	struct question question = { .uid = 1000, .device = { DISK } };
	struct host host;

	host_init_two_groups(&host);
	for (size_t i = 0; i < COUNT(row); i++) {
		struct decision decision;
		int interface = kernel_interface(&row[i].kernel);

		assert_int_equal(interface < 0 ? -1 : interface, row[i].interface);
		host.kernel = row[i].kernel;
		ask_under(&host, RULE_FOR_ALICE(UNUSED), &question, &decision);
		assert_int_equal(decision.allowed, row[i].interface >= 0);
		if (decision.allowed)
			assert_int_equal(decision.interface, row[i].interface);
		else
			assert_contains(find_blocker(&decision, BLOCKER_KERNEL, "", "")->message, "no VFIO groups");
		decision_done(&decision);
	}
	host_done(&host);
}

static void test_attached_by_group(void **state)
{
	struct question question = { .uid = 1000, .device = { CARD, NETWORK, DISK } };
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	host.kernel = only_groups;
	ask_under(&host, RULE_FOR_ALICE(UNUSED), &question, &decision);
	assert_true(decision.allowed);
	assert_int_equal(only_step(&decision, STEP_CONTAINER)->number, 0);
	assert_int_equal(count_steps(&decision, STEP_GROUP), 2);
	assert_int_equal(count_steps(&decision, STEP_GROUP_DEVICE), 3);
	assert_int_equal(count_steps(&decision, STEP_CONTEXT) + count_steps(&decision, STEP_OPEN), 0);
	decision_done(&decision);
	host_done(&host);
}

/* Mode open is iommufd's: without it the kernel can't (6), and what can be asked for instead is said. */
static void test_open_needs_iommufd(void **state)
{
	struct question question = { .uid = 1000, .mode = MODE_OPEN, .device = { DISK, CARD } };
	struct decision decision;
	const struct blocker *blocker;
	struct host host;

	host_init_two_groups(&host);
	host.kernel = only_groups;
	ask_under(&host, RULE_FOR_ALICE(UNUSED), &question, &decision);
	assert_int_equal(decision.status, EXIT_UNSUPPORTED);
	assert_int_equal(decision.blocker_count, 1);
	blocker = find_blocker(&decision, BLOCKER_KERNEL, "", "");
	assert_contains(blocker->message, "the mode open needs iommufd");
	assert_contains(blocker->message, "6.12.117-amd64");
	assert_contains(blocker->remedy, "the mode node");
	decision_done(&decision);
	/* What the policy says counts more. */
	ask_under(&host, RULE_FOR_ALICE(", \"lockout\": \"unused\""), &question, &decision);
	assert_int_equal(decision.status, EXIT_REFUSED);
	decision_done(&decision);
	host_done(&host);
}

static void test_node(void **state)
{
	struct question question = { .uid = 1000, .mode = MODE_NODE, .device = { CARD } };
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	ask_under(&host, RULE_FOR_ALICE(UNUSED), &question, &decision);
	assert_true(decision.allowed);
	assert_int_equal(count_steps(&decision, STEP_CONTEXT), 1);
	assert_int_equal(only_step(&decision, STEP_GRANT)->number, 1000);
	assert_string_equal(only_step(&decision, STEP_GRANT)->device, CARD);
	assert_int_equal(decision.lockout_count, 1);
	decision_done(&decision);
	/* Programs that want groups find the container, too. */
	host.kernel.vfio_group = 1;
	ask_under(&host, RULE_FOR_ALICE(UNUSED), &question, &decision);
	assert_int_equal(count_steps(&decision, STEP_CONTEXT), 1);
	assert_int_equal(count_steps(&decision, STEP_GRANT), 2);
	decision_done(&decision);
	host.kernel = only_groups;
	ask_under(&host, RULE_FOR_ALICE(UNUSED), &question, &decision);
	assert_int_equal(decision.interface, INTERFACE_GROUP);
	assert_int_equal(count_steps(&decision, STEP_CONTEXT) + count_steps(&decision, STEP_CONTAINER), 0);
	assert_int_equal(count_steps(&decision, STEP_GRANT), 2);
	decision_done(&decision);
	ask_under(&host, RULE_FOR_ALICE(", \"lockout\": \"unused\""), &question, &decision);
	assert_int_equal(decision.status, EXIT_REFUSED);
	find_blocker(&decision, BLOCKER_MODE, CARD, "");
	decision_done(&decision);
	host_done(&host);
}

/* Each rule of those that the claim falls under has to accept it; no rule makes up for no interrupts at all. */
static void test_unsafe_interrupts(void **state)
{
	static const char both[] =
		"{\"rules\": [{\"name\": \"card\", \"effect\": \"allow\", \"device\": {\"id\": \"1234:*\"},"
		"\"lockout\": \"unused\", \"unsafe_interrupts\": \"accept\"}, {\"name\": \"others\", \"effect\": \"allow\","
		"\"device\": {\"kind\": \"pci\"}}]}";
	struct question card = { .uid = 1000, .device = { CARD } }, disk = { .uid = 1000, .device = { DISK } };
	struct question unruled = { .uid = 1001, .device = { DISK } };
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	host.kernel.unsafe_interrupts = 1;
	ask_under(&host, both, &card, &decision);
	assert_true(decision.allowed);
	decision_done(&decision);
	ask_under(&host, both, &disk, &decision);
	assert_int_equal(decision.status, EXIT_UNSUPPORTED);
	assert_contains(find_blocker(&decision, BLOCKER_KERNEL, "", "")->remedy,
			"\"unsafe_interrupts\": \"accept\" in the rule \"others\"");
	decision_done(&decision);
	/* Who has no rule is told of the kernel, and of no rule that could be changed. */
	ask_under(&host, RULE_FOR_ALICE(""), &unruled, &decision);
	assert_int_equal(decision.status, EXIT_REFUSED);
	assert_null(strstr(find_blocker(&decision, BLOCKER_KERNEL, "", "")->remedy, "accept"));
	decision_done(&decision);
	ask_under(&host, RULE_FOR_ALICE(", \"unsafe_interrupts\": \"refuse\""), &disk, &decision);
	assert_int_equal(decision.status, EXIT_UNSUPPORTED);
	decision_done(&decision);
	host.kernel.noiommu = 1;
	ask_under(&host, both, &card, &decision);
	assert_int_equal(decision.status, EXIT_UNSUPPORTED);
	assert_contains(find_blocker(&decision, BLOCKER_KERNEL, "", "")->message, "enable_unsafe_noiommu_mode");
	decision_done(&decision);
	host_done(&host);
}

/* A claim grows by a device of a group that its client has, and by one of another. */
static void test_grow_by_group(void **state)
{
	struct question question = { .uid = 1000, .device = { NETWORK, DISK } };
	struct decision decision;
	struct claim *claim;
	struct host host;

	host_init_two_groups(&host);
	host.kernel = only_groups;
	claim = host_claim(&host, "c1", 1000, "r", CARD);
	claim->interface = INTERFACE_GROUP;
	host_claim_more(&host, claim, NETWORK, true);
	host_device(&host, NETWORK)->driver[0] = '\0';
	strcpy(host_device(&host, NETWORK)->driver_override, PINNED_OVERRIDE);
	question.claim = claim;
	ask_under(&host, RULE_FOR_ALICE(UNUSED), &question, &decision);
	assert_true(decision.allowed);
	assert_int_equal(only_step(&decision, STEP_CONTAINER)->number, 1);
	assert_string_equal(only_step(&decision, STEP_GROUP)->device, DISK);
	assert_int_equal(count_steps(&decision, STEP_GROUP_DEVICE), 2);
	for (size_t i = 0; i < decision.plan.count; i++) {
		const struct step *step = &decision.plan.step[i];

		if (step->kind == STEP_GROUP_DEVICE)
			assert_int_equal(step->number, strcmp(step->device, NETWORK) == 0);
	}
	decision_done(&decision);
	host_done(&host);
}

/* A claim that has only locked a member of a group out has not opened that group: it has no device of it. */
static void test_grow_many_of_one_group(void **state)
{
	struct question question = { .uid = 1000, .device = { DISK } };
	struct device second = device_of("0000:03:00.1", 6, "");
	struct decision decision;
	struct claim *claim;
	struct host host;

	host_init_two_groups(&host);
	host.kernel = only_groups;
	host_add(&host, &second);
	claim = host_claim(&host, "c1", 1000, "r", CARD);
	claim->interface = INTERFACE_GROUP;
	host_claim_more(&host, claim, NETWORK, false);
	host_claim_more(&host, claim, "0000:03:00.1", true);
	question.claim = claim;
	ask_under(&host, RULE_FOR_ALICE(UNUSED), &question, &decision);
	assert_true(decision.allowed);
	assert_string_equal(only_step(&decision, STEP_GROUP)->device, DISK);
	assert_int_equal(only_step(&decision, STEP_GROUP_DEVICE)->number, 0);
	decision_done(&decision);
	host_done(&host);
}

/* The kernel has got iommufd since (a module was loaded), or has lost it: the claim can't go on as it was. */
static void test_the_interface_has_changed(void **state)
{
	struct question question = { .uid = 1000, .device = { DISK } };
	struct decision decision;
	struct claim *claim;
	struct host host;

	host_init_two_groups(&host);
	claim = host_claim(&host, "c1", 1000, "r", CARD);
	question.claim = claim;
	host.kernel = only_groups;
	ask_under(&host, RULE_FOR_ALICE(UNUSED), &question, &decision);
	assert_int_equal(decision.status, EXIT_UNSUPPORTED);
	assert_contains(find_blocker(&decision, BLOCKER_KERNEL, "", "")->message, "through the interface iommufd");
	decision_done(&decision);
	claim->interface = INTERFACE_GROUP;
	ask_under(&host, RULE_FOR_ALICE(UNUSED), &question, &decision);
	assert_true(decision.allowed);
	decision_done(&decision);
	host_done(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_which_interface),        cmocka_unit_test(test_attached_by_group),
		cmocka_unit_test(test_open_needs_iommufd),     cmocka_unit_test(test_node),
		cmocka_unit_test(test_unsafe_interrupts),      cmocka_unit_test(test_grow_by_group),
		cmocka_unit_test(test_grow_many_of_one_group), cmocka_unit_test(test_the_interface_has_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
