/*
 * Refusals: each kind of blocker with its status, what it names, and what it must not tell. The scenarios are told in
 * the words of the host in decision_fixture.h.
 */
#include "decision_fixture.h"

#include <stdio.h>
#include <string.h>

#define UNUSED ", \"lockout\": \"unused\""

/* Asks alice's question about one device and expects a status. */
static struct decision refused(struct host *host, const char *policy, const char *device, enum exit_status status)
{
	struct question question = { .uid = 1000, .device = { device } };
	struct decision decision;

	ask_under(host, policy, &question, &decision);
	assert_int_equal(decision.status, status);
	return decision;
}

static void test_unknown_device(void **state)
{
	static const struct {
		const char *name, *message, *remedy;
	} cases[] = {
		{ "0000:09:00.0", "no such device: 0000:09:00.0", "ioasidctl list" },
		{ "02:01.0", "no such device: 02:01.0", "in full: 0000:02:01.0" },
		{ "a\n\x1b[2J", "no such device: a\\x0a\\x1b[2J", "ioasidctl list" },
		{ "", "no such device: \"\"", "ioasidctl list" },
	};
	char endless[5000];
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct question question = { .uid = 1000, .device = { cases[i].name }, .count = 1 };

		ask_under(&host, RULE_FOR_ALICE(""), &question, &decision);
		assert_int_equal(decision.status, EXIT_UNKNOWN);
		assert_int_equal(decision.blocker_count, 1);
		assert_int_equal(decision.blocker[0].kind, BLOCKER_UNKNOWN_DEVICE);
		assert_string_equal(decision.blocker[0].message, cases[i].message);
		assert_contains(decision.blocker[0].remedy, cases[i].remedy);
		decision_done(&decision);
	}
	memset(endless, 'x', sizeof endless);
	endless[sizeof endless - 1] = '\0';
	decision = refused(&host, RULE_FOR_ALICE(""), endless, EXIT_UNKNOWN);
	assert_true(strlen(decision.device[0].device) < DEVICE_NAME_MAX);
	decision_done(&decision);
	host_done(&host);
}

static void test_kernel(void **state)
{
	struct question question = { .uid = 1000, .device = { CARD, DISK } };
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	host.kernel.iommufd = 0;
	host.kernel.vfio_cdev = 0;
	strcpy(host.kernel.release, "6.12.117-amd64");
	ask_under(&host, RULE_FOR_ALICE(UNUSED), &question, &decision);
	assert_int_equal(decision.status, EXIT_UNSUPPORTED);
	assert_int_equal(decision.blocker_count, 1); /* once, not for each device */
	assert_int_equal(decision.blocker[0].kind, BLOCKER_KERNEL);
	assert_contains(decision.blocker[0].message, "6.12.117-amd64");
	assert_contains(decision.blocker[0].message,
			"no iommufd (/dev/iommu), no VFIO device nodes (/dev/vfio/devices), and no VFIO groups");
	assert_contains(decision.blocker[0].remedy, "modprobe -a vfio_pci iommufd");
	decision_done(&decision);
	host.kernel.iommufd = 1;
	ask_under(&host, RULE_FOR_ALICE(UNUSED), &question, &decision);
	assert_contains(decision.blocker[0].message,
			"has no VFIO device nodes (/dev/vfio/devices), and no VFIO groups");
	decision_done(&decision);
	host.kernel.vfio_cdev = 1;
	host.kernel.unsafe_interrupts = 1;
	host.kernel.noiommu = 1;
	ask_under(&host, RULE_FOR_ALICE(UNUSED), &question, &decision);
	assert_int_equal(count_blockers(&decision, BLOCKER_KERNEL), 2);
	assert_contains(decision.blocker[0].message, "allow_unsafe_interrupts");
	assert_contains(decision.blocker[0].remedy, "\"unsafe_interrupts\": \"accept\" in the rule \"r\"");
	assert_contains(decision.blocker[1].message, "enable_unsafe_noiommu_mode");
	decision_done(&decision);
	host_done(&host);
}

/* A mode that the policy may name already, but that is not served. */
static void test_modes_not_served(void **state)
{
	struct question question = { .uid = 1000, .mode = MODE_BROKERED, .device = { DISK } };
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	ask_under(&host, RULE_FOR_ALICE(", \"modes\": [\"node\", \"brokered\"]"), &question, &decision);
	assert_int_equal(decision.status, EXIT_UNSUPPORTED);
	assert_contains(find_blocker(&decision, BLOCKER_KERNEL, "", "")->message, "brokered is not supported");
	assert_contains(decision.blocker[0].remedy, "attached, open or node");
	decision_done(&decision);
	host_done(&host);
}

static void test_hardware(void **state)
{
	struct decision decision;
	const struct blocker *blocker;
	struct host host;

	host_init_two_groups(&host);
	decision = refused(&host, RULE_FOR_ALICE(UNUSED), BRIDGE, EXIT_UNSUPPORTED);
	assert_int_equal(decision.blocker_count, 1);
	find_blocker(&decision, BLOCKER_BRIDGE, BRIDGE, "");
	assert_int_equal(decision.lockout_count, 0);
	decision_done(&decision);
	host_device(&host, DISK)->no_iommu = 1;
	decision = refused(&host, RULE_FOR_ALICE(""), DISK, EXIT_UNSUPPORTED);
	blocker = find_blocker(&decision, BLOCKER_NO_IOMMU_GROUP, DISK, "");
	assert_contains(blocker->message, "no-IOMMU mode");
	assert_contains(blocker->remedy, "/sys/bus/pci/devices/" DISK "/driver/unbind");
	decision_done(&decision);
	host_device(&host, DISK)->no_iommu = 0;
	host_device(&host, DISK)->pci.reset_methods = 0;
	decision = refused(&host, RULE_FOR_ALICE(""), DISK, EXIT_UNSUPPORTED);
	blocker = find_blocker(&decision, BLOCKER_NO_RESET, DISK, "");
	assert_string_equal(blocker->rule, "r");
	assert_contains(blocker->message, "\"r\" (test.json:1)");
	assert_contains(blocker->remedy, "\"reset\": \"try\"");
	decision_done(&decision);
	host_device(&host, DISK)->driver_fixed = 1;
	decision = refused(&host, RULE_FOR_ALICE(", \"reset\": \"try\""), DISK, EXIT_UNSUPPORTED);
	assert_contains(find_blocker(&decision, BLOCKER_NOT_RESTORABLE, DISK, "")->message, "driver nvme");
	decision_done(&decision);
	host_device(&host, NETWORK)->driver_fixed = 1;
	decision = refused(&host, RULE_FOR_ALICE(UNUSED), CARD, EXIT_UNSUPPORTED);
	assert_contains(find_blocker(&decision, BLOCKER_NOT_RESTORABLE, CARD, NETWORK)->message, "driver e1000");
	assert_false(decision.lockout[0].covered);
	decision_done(&decision);
	host_done(&host);
}

static void test_no_group(void **state)
{
	struct device bare = device_of("0000:04:00.0", -1, "e1000");
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	host_add(&host, &bare);
	decision = refused(&host, RULE_FOR_ALICE(""), "0000:04:00.0", EXIT_UNSUPPORTED);
	assert_contains(find_blocker(&decision, BLOCKER_NO_IOMMU_GROUP, "0000:04:00.0", "")->remedy,
			"kernel command line");
	decision_done(&decision);
	/* What the policy says of it counts more than what the hardware can't. */
	decision = refused(&host, "{}", "0000:04:00.0", EXIT_REFUSED);
	assert_int_equal(decision.blocker_count, 2);
	decision_done(&decision);
	host_done(&host);
}

static void test_group_too_large(void **state)
{
	struct decision decision;
	struct host host;

	host_init(&host);
	for (unsigned i = 0; i < GROUP_MEMBERS_MAX + 1; i++) {
		char name[DEVICE_NAME_MAX];
		struct device device;

		snprintf(name, sizeof name, "0000:%02x:%02x.0", i >> 5, i & 31);
		device = device_of(name, 3, "");
		host_add(&host, &device);
	}
	decision = refused(&host, RULE_FOR_ALICE(UNUSED), "0000:00:00.0", EXIT_UNSUPPORTED);
	assert_contains(find_blocker(&decision, BLOCKER_GROUP_TOO_LARGE, "0000:00:00.0", "")->message, "257 members");
	decision_done(&decision);
	host_done(&host);
}

static void test_policy_says_no(void **state)
{
	struct question bob = { .uid = 1001, .device = { DISK } },
			open = { .uid = 1000, .mode = MODE_OPEN, .device = { DISK } };
	const struct blocker *blocker;
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	ask_under(&host, RULE_FOR_ALICE(""), &bob, &decision);
	assert_int_equal(decision.status, EXIT_REFUSED);
	blocker = find_blocker(&decision, BLOCKER_NO_RULE, DISK, "");
	assert_contains(blocker->message, "uid 1001");
	assert_string_equal(blocker->rule, "");
	decision_done(&decision);
	decision = refused(
		&host,
		"{\"rules\": [\n{\"name\": \"no disks\", \"effect\": \"deny\", \"device\": {\"class\": \"01\"}},"
		"{\"name\": \"r\", \"effect\": \"allow\", \"device\": {\"kind\": \"pci\"}}]}",
		DISK, EXIT_REFUSED);
	blocker = find_blocker(&decision, BLOCKER_DENIED, DISK, "");
	assert_string_equal(blocker->rule, "no disks");
	assert_contains(blocker->message, "\"no disks\" (test.json:2)");
	assert_int_equal(decision.blocker_count, 1);
	decision_done(&decision);
	ask_under(&host, RULE_FOR_ALICE(", \"modes\": [\"attached\", \"node\"]"), &open, &decision);
	assert_int_equal(decision.status, EXIT_REFUSED);
	blocker = find_blocker(&decision, BLOCKER_MODE, DISK, "");
	assert_contains(blocker->message, "mode open");
	assert_contains(blocker->remedy, "(attached, node)");
	decision_done(&decision);
	host_done(&host);
}

static void test_never(void **state)
{
	static const char policy[] =
		"{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\", \"device\": {\"kind\": \"pci\"},"
		"\"lockout\": {\"named\": \"" NETWORK "\"}, \"in_use\": \"take\"}],\n"
		"\"never\": [{\"driver\": \"e1000\", \"why\": \"the way in\"}]}";
	struct decision decision;
	const struct blocker *blocker;
	struct host host;

	host_init_two_groups(&host);
	decision = refused(&host, policy, NETWORK, EXIT_REFUSED);
	blocker = find_blocker(&decision, BLOCKER_NEVER, NETWORK, "");
	assert_contains(blocker->message, "(test.json:2): the way in");
	assert_int_equal(decision.blocker_count, 1);
	decision_done(&decision);
	/* As a member neither, even if a rule names it. */
	decision = refused(&host, policy, CARD, EXIT_REFUSED);
	blocker = find_blocker(&decision, BLOCKER_NEVER, CARD, NETWORK);
	assert_contains(blocker->message, "the way in");
	assert_false(decision.lockout[0].covered);
	decision_done(&decision);
	host_done(&host);
}

/* How much all users get under a rule, and one user under all rules. */
static void test_shared_limits(void **state)
{
	static const char text[] =
		"{\"rules\": [{\"name\": \"cards\", \"effect\": \"allow\", \"device\": {\"class\": \"00\"}, "
		"\"lockout\":"
		" \"unused\", \"limits\": {\"devices_total\": 1}}, {\"name\": \"rest\", \"effect\": \"allow\", "
		"\"device\":"
		" {\"kind\": \"pci\"}, \"lockout\": \"unused\"}], \"user_limits\": {\"devices\": 2}}";
	struct device free_card = device_of("0000:09:00.0", 9, ""), links[3];
	struct question question = { .uid = 1000, .device = { CARD } };
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	free_card.pci.class_code = 0x00ff00;
	host_add(&host, &free_card);
	for (size_t i = 0; i < COUNT(links); i++) {
		char name[DEVICE_NAME_MAX];

		snprintf(name, sizeof name, "0000:0a:0%zu.0", i);
		links[i] = device_of(name, 20 + (int32_t)i, "");
		host_add(&host, &links[i]);
	}
	ask_under(&host, text, &question, &decision);
	assert_true(decision.allowed);
	decision_done(&decision);
	/* Bob's card counts against all, and says nothing of bob. */
	host_claim(&host, "c1", 1001, "cards", free_card.name);
	ask_under(&host, text, &question, &decision);
	assert_int_equal(decision.status, EXIT_REFUSED);
	assert_contains(find_blocker(&decision, BLOCKER_LIMIT, CARD, "")->message, "for all users together, and 1 are");
	decision_done(&decision);
	/* Two under one rule, and what is asked for falls under another. */
	host_claim_more(&host, host_claim(&host, "c2", 1000, "rest", links[0].name), links[1].name, false);
	question.device[0] = links[2].name;
	ask_under(&host, text, &question, &decision);
	assert_contains(find_blocker(&decision, BLOCKER_LIMIT, links[2].name, "")->message,
			"allows 2 at a time per user");
	decision_done(&decision);
	question.uid = 1001; /* who has one */
	ask_under(&host, text, &question, &decision);
	assert_true(decision.allowed);
	decision_done(&decision);
	host_done(&host);
}

static void test_limit(void **state)
{
	struct question question = { .uid = 1000, .mode = MODE_ATTACHED, .device = { CARD, NETWORK } };
	struct decision decision;
	const struct blocker *blocker;
	struct host host;

	host_init_two_groups(&host);
	host_claim(&host, "c1", 1000, "r", DISK);
	ask_under(&host, RULE_FOR_ALICE(", \"limits\": {\"devices\": 2}"), &question, &decision);
	assert_int_equal(decision.status, EXIT_REFUSED);
	blocker = find_blocker(&decision, BLOCKER_LIMIT, NETWORK, "");
	assert_contains(blocker->message, "allows 2 at a time per user, and this user has 1");
	decision_done(&decision);
	ask_under(&host, RULE_FOR_ALICE(", \"limits\": {\"devices\": 1}"), &question, &decision);
	find_blocker(&decision, BLOCKER_LIMIT, CARD, "");
	assert_int_equal(count_blockers(&decision, BLOCKER_LIMIT), 1); /* of the first that is too many */
	decision_done(&decision);
	ask_under(&host, RULE_FOR_ALICE(", \"limits\": {\"devices\": 3}"), &question, &decision);
	assert_true(decision.allowed);
	decision_done(&decision);
	/* What the growing claim has counts, too. */
	question.claim = ledger_find(host.ledger, "c1");
	ask_under(&host, RULE_FOR_ALICE(", \"limits\": {\"devices\": 2}"), &question, &decision);
	find_blocker(&decision, BLOCKER_LIMIT, NETWORK, "");
	decision_done(&decision);
	host_done(&host);
}

/* A claim holds 64 devices; growing can't get round that. */
static void test_claim_full(void **state)
{
	struct question question = { .uid = 1000, .mode = MODE_ATTACHED, .device = { DISK } };
	struct claim *claim = NULL;
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	for (unsigned i = 0; i < CLAIM_DEVICES_MAX; i++) {
		char name[DEVICE_NAME_MAX];
		struct device device;

		snprintf(name, sizeof name, "0000:0a:%02x.%u", i >> 3, i & 7);
		device = device_of(name, 9, "");
		host_add(&host, &device);
		if (claim)
			host_claim_more(&host, claim, name, false);
		else
			claim = host_claim(&host, "c1", 1000, "r", name);
	}
	question.claim = claim;
	ask_under(&host, RULE_FOR_ALICE(""), &question, &decision);
	assert_contains(find_blocker(&decision, BLOCKER_LIMIT, DISK, "")->message, "64 devices");
	decision_done(&decision);
	host_done(&host);
}

static void test_different_rules(void **state)
{
	static const char policy[] =
		"{\"rules\": [{\"name\": \"disks\", \"effect\": \"allow\", \"device\": {\"class\": \"01\"}},"
		"{\"name\": \"rest\", \"effect\": \"allow\", \"device\": {\"kind\": \"pci\"}" UNUSED "}]}";
	struct question question = { .uid = 1000, .mode = MODE_ATTACHED, .device = { CARD, DISK } };
	struct decision decision;
	const struct blocker *blocker;
	struct host host;

	host_init_two_groups(&host);
	ask_under(&host, policy, &question, &decision);
	assert_int_equal(decision.status, EXIT_REFUSED);
	blocker = find_blocker(&decision, BLOCKER_DIFFERENT_RULES, DISK, "");
	assert_contains(blocker->message, "\"disks\"");
	assert_contains(blocker->message, "\"rest\"");
	assert_contains(blocker->message, CARD);
	decision_done(&decision);
	question = (struct question){ .uid = 1000,
				      .device = { DISK },
				      .claim = host_claim(&host, "c1", 1000, "rest", CARD) };
	ask_under(&host, policy, &question, &decision);
	blocker = find_blocker(&decision, BLOCKER_DIFFERENT_RULES, DISK, "");
	assert_contains(blocker->message, "made under the rule \"rest\"");
	decision_done(&decision);
	host_done(&host);
}

static void test_growing_in_another_mode(void **state)
{
	struct question question = { .uid = 1000, .mode = MODE_ATTACHED, .device = { DISK } };
	struct decision decision;
	struct claim *claim;
	struct host host;

	host_init_two_groups(&host);
	question.claim = claim = host_claim(&host, "c1", 1000, "r", CARD);
	claim->mode = MODE_OPEN;
	ask_under(&host, RULE_FOR_ALICE(", \"modes\": [\"open\", \"attached\"]"), &question, &decision);
	assert_contains(find_blocker(&decision, BLOCKER_MODE, DISK, "")->message,
			"claim c1 is delivered in the mode open");
	decision_done(&decision);
	host_done(&host);
}

static void test_lockout_not_covered(void **state)
{
	struct device third = device_of("0000:02:03.0", 5, "");
	struct decision decision;
	const struct blocker *blocker;
	struct host host;

	host_init_two_groups(&host);
	decision = refused(&host, RULE_FOR_ALICE(""), CARD, EXIT_REFUSED);
	blocker = find_blocker(&decision, BLOCKER_LOCKOUT_NOT_COVERED, CARD, NETWORK);
	assert_string_equal(blocker->rule, "r");
	assert_contains(blocker->message, "driver e1000");
	assert_contains(blocker->message, "\"r\" (test.json:1)");
	assert_contains(blocker->remedy, "\"lockout\": {\"named\": [\"0000:02:02.0\"]}");
	assert_int_equal(decision.lockout_count, 1);
	assert_false(decision.lockout[0].covered);
	decision_done(&decision);
	/* The text to be written covers all members at once, those that the rule names already among them. */
	host_add(&host, &third);
	decision = refused(&host, RULE_FOR_ALICE(", \"lockout\": {\"named\": \"0000:02:04.0\"}"), CARD, EXIT_REFUSED);
	assert_int_equal(count_blockers(&decision, BLOCKER_LOCKOUT_NOT_COVERED), 2);
	blocker = find_blocker(&decision, BLOCKER_LOCKOUT_NOT_COVERED, CARD, "0000:02:03.0");
	assert_contains(blocker->message, "no driver");
	assert_contains(blocker->remedy, "{\"named\": [\"0000:02:04.0\", \"0000:02:02.0\", \"0000:02:03.0\"]}");
	decision_done(&decision);
	/* Its use is told, since naming the member would not be enough. */
	host_add_use(&host, NETWORK, USE_NETWORK_LINK, SEVERITY_DISRUPTIVE, "enp2s2: link up");
	decision = refused(&host, RULE_FOR_ALICE(""), CARD, EXIT_REFUSED);
	blocker = find_blocker(&decision, BLOCKER_LOCKOUT_NOT_COVERED, CARD, NETWORK);
	assert_string_equal(blocker->use, "enp2s2: link up");
	assert_contains(blocker->remedy, "end its use");
	decision_done(&decision);
	host_done(&host);
}

/* So many members that a list of them would be cut off: the remedy is still policy text that works. */
static void test_lockout_of_many(void **state)
{
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	for (unsigned i = 0; i < 30; i++) {
		char name[DEVICE_NAME_MAX];
		struct device device;

		snprintf(name, sizeof name, "0000:02:%02x.1", i);
		device = device_of(name, 5, "");
		host_add(&host, &device);
	}
	decision = refused(&host, RULE_FOR_ALICE(""), CARD, EXIT_REFUSED);
	assert_int_equal(count_blockers(&decision, BLOCKER_LOCKOUT_NOT_COVERED), 31);
	assert_contains(find_blocker(&decision, BLOCKER_LOCKOUT_NOT_COVERED, CARD, NETWORK)->remedy,
			"\"lockout\": \"unused\"");
	decision_done(&decision);
	host_done(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown_device),
		cmocka_unit_test(test_kernel),
		cmocka_unit_test(test_modes_not_served),
		cmocka_unit_test(test_hardware),
		cmocka_unit_test(test_no_group),
		cmocka_unit_test(test_group_too_large),
		cmocka_unit_test(test_policy_says_no),
		cmocka_unit_test(test_never),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_shared_limits),
		cmocka_unit_test(test_claim_full),
		cmocka_unit_test(test_different_rules),
		cmocka_unit_test(test_growing_in_another_mode),
		cmocka_unit_test(test_lockout_not_covered),
		cmocka_unit_test(test_lockout_of_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
