/*
 * Refusals because somebody has the device: the host, a process, another claim. Also what is told to whom: pids, mount
 * points, others' numbers and claims to operators only.
 */
#include "decision_fixture.h"

#include <stdio.h>
#include <string.h>

#define POLICY \
	"{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\", \"device\": {\"kind\": \"pci\"}, \"lockout\": " \
	"\"unused\"}], \"operators\": {\"user\": 1002}}"
enum { ALICE = 1000, BOB = 1001, OPERATOR = 1002 };

static struct decision refused(struct host *host, const char *policy, uid_t uid, const char *device)
{
	struct question question = { .uid = uid, .device = { device } };
	struct decision decision;

	ask_under(host, policy, &question, &decision);
	assert_int_equal(decision.status, EXIT_BUSY);
	return decision;
}

/* Nothing of a decision has the text in it. */
static void assert_untold(const struct decision *decision, const char *secret)
{
	for (size_t i = 0; i < decision->blocker_count; i++) {
		const struct blocker *blocker = &decision->blocker[i];

		assert_null(strstr(blocker->message, secret));
		assert_null(strstr(blocker->remedy, secret));
		assert_null(strstr(blocker->use, secret));
		assert_null(strstr(blocker->claim, secret));
	}
	for (size_t i = 0; i < decision->lockout_count; i++)
		assert_null(strstr(decision->lockout[i].use, secret));
}

static void test_in_use(void **state)
{
	struct decision decision;
	const struct blocker *blocker;
	struct host host;

	host_init_two_groups(&host);
	host_add_use(&host, DISK, USE_DRIVER, SEVERITY_IDLE, "driver nvme");
	host_add_use(&host, DISK, USE_SWAP, SEVERITY_DISRUPTIVE, "nvme0n1p3 > swap");
	decision = refused(&host, POLICY, ALICE, DISK);
	assert_int_equal(decision.blocker_count, 1);
	blocker = find_blocker(&decision, BLOCKER_IN_USE, DISK, "");
	assert_string_equal(blocker->use, "the host swaps to it");
	assert_contains(blocker->message, "the host swaps to it");
	assert_contains(blocker->message, "\"r\" (test.json:1)");
	assert_contains(blocker->remedy, "swapoff");
	assert_contains(blocker->remedy, "\"in_use\": \"take\"");
	decision_done(&decision);
	host_done(&host);
}

static void test_member_in_use(void **state)
{
	struct decision decision;
	const struct blocker *blocker;
	struct host host;

	host_init_two_groups(&host);
	host_add_use(&host, NETWORK, USE_NETWORK_LINK, SEVERITY_DISRUPTIVE, "enp2s2: link up");
	decision = refused(&host, POLICY, ALICE, CARD);
	assert_int_equal(decision.blocker_count, 1);
	blocker = find_blocker(&decision, BLOCKER_MEMBER_IN_USE, CARD, NETWORK);
	assert_string_equal(blocker->use, "enp2s2: link up");
	assert_contains(blocker->remedy, "link down");
	assert_int_equal(decision.lockout[0].severity, SEVERITY_DISRUPTIVE);
	assert_false(decision.lockout[0].covered);
	decision_done(&decision);
	host_done(&host);
}

/* A mount point is told to operators only; that something is mounted, to everybody. */
static void test_mount_points(void **state)
{
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	host_add_use(&host, DISK, USE_MOUNT, SEVERITY_FATAL, "nvme0n1 > mounted on /home/carol/secret");
	decision = refused(&host, POLICY, ALICE, DISK);
	assert_untold(&decision, "carol");
	assert_contains(decision.blocker[0].message, "mounted");
	decision_done(&decision);
	decision = refused(&host, POLICY, OPERATOR, DISK);
	assert_contains(decision.blocker[0].message, "/home/carol/secret");
	decision_done(&decision);
	host_done(&host);
}

/* A holder blocks at any severity, as device and as member, and no consent helps: nothing takes its FD away. */
static void test_holders(void **state)
{
	static const char take[] =
		"{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\", \"device\": {\"address\": [\"" DISK "\", \"" CARD
		"\"]}, \"in_use\": \"take\", \"lockout\": {\"named\": \"" NETWORK "\"}}],"
		"\"operators\": {\"user\": 1002}}";
	static const char *const policies[] = { POLICY, take };
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	host_add_use(&host, DISK, USE_HOLDER, SEVERITY_IDLE, "open in process 4711 (smartd)");
	host_add_use(&host, NETWORK, USE_HOLDER, SEVERITY_IDLE, "open in process 4711 (smartd)");
	for (size_t i = 0; i < COUNT(policies); i++) {
		decision = refused(&host, policies[i], ALICE, DISK);
		assert_string_equal(find_blocker(&decision, BLOCKER_IN_USE, DISK, "")->message,
				    DISK " is held by a process that did not get it from ioasidd");
		assert_contains(decision.blocker[0].remedy, "ioasidctl audit");
		assert_untold(&decision, "4711");
		assert_null(strstr(decision.blocker[0].remedy, "take"));
		decision_done(&decision);
		decision = refused(&host, policies[i], ALICE, CARD);
		assert_contains(find_blocker(&decision, BLOCKER_MEMBER_IN_USE, CARD, NETWORK)->message,
				NETWORK ", which is held by a process that did not get it from ioasidd");
		assert_untold(&decision, "smartd");
		decision_done(&decision);
		decision = refused(&host, policies[i], OPERATOR, DISK);
		assert_contains(find_blocker(&decision, BLOCKER_IN_USE, DISK, "")->message,
				"did not get it from ioasidd: open in process 4711 (smartd)");
		decision_done(&decision);
	}
	host_done(&host);
}

static void test_claimed(void **state)
{
	struct decision decision;
	const struct blocker *blocker;
	struct claim *claim;
	struct host host;

	host_init_two_groups(&host);
	claim = host_claim(&host, "bobs-claim", BOB, "r", DISK);
	/* Bob's process is a holder, but the claim says more. */
	host_add_use(&host, DISK, USE_HOLDER, SEVERITY_DISRUPTIVE, "open in process 5150 (qemu)");
	strcpy(claim->note, "held by process 5150");
	decision = refused(&host, POLICY, ALICE, DISK);
	assert_int_equal(decision.blocker_count, 1);
	blocker = find_blocker(&decision, BLOCKER_CLAIMED, DISK, "");
	assert_contains(blocker->message, "belongs to another user's claim");
	assert_string_equal(blocker->claim, "");
	assert_untold(&decision, "1001");
	assert_untold(&decision, "5150");
	assert_untold(&decision, "bobs-claim");
	decision_done(&decision);
	decision = refused(&host, POLICY, OPERATOR, DISK);
	blocker = find_blocker(&decision, BLOCKER_CLAIMED, DISK, "");
	assert_contains(blocker->message, "the claim bobs-claim of uid 1001");
	assert_string_equal(blocker->claim, "bobs-claim");
	decision_done(&decision);
	decision = refused(&host, POLICY, BOB, DISK);
	blocker = find_blocker(&decision, BLOCKER_CLAIMED, DISK, "");
	assert_contains(blocker->message, "your claim bobs-claim");
	assert_contains(blocker->remedy, "release the claim bobs-claim");
	decision_done(&decision);
	host_done(&host);
}

/* A sibling in a second context: the kernel would say EPERM, here stands why. */
static void test_other_context(void **state)
{
	struct decision decision;
	const struct blocker *blocker;
	struct claim *claim;
	struct host host;

	host_init_two_groups(&host);
	claim = host_claim(&host, "c1", BOB, "r", CARD);
	decision = refused(&host, POLICY, ALICE, NETWORK);
	assert_int_equal(decision.blocker_count, 1);
	blocker = find_blocker(&decision, BLOCKER_OTHER_CONTEXT, NETWORK, CARD);
	assert_contains(blocker->message, "EPERM");
	assert_untold(&decision, "c1");
	assert_int_equal(decision.lockout_count, 1);
	assert_false(decision.lockout[0].covered);
	decision_done(&decision);
	decision = refused(&host, POLICY, BOB, NETWORK);
	blocker = find_blocker(&decision, BLOCKER_OTHER_CONTEXT, NETWORK, CARD);
	assert_string_equal(blocker->claim, "c1");
	assert_contains(blocker->remedy, "add 0000:02:02.0 to the claim c1 (method AddDevice) or release that claim");
	decision_done(&decision);
	/* The same where it was locked out by name. */
	host_claim_more(&host, claim, NETWORK, true);
	decision = refused(&host, POLICY, BOB, NETWORK);
	blocker = find_blocker(&decision, BLOCKER_OTHER_CONTEXT, NETWORK, "");
	assert_contains(blocker->message, "locked out by your claim c1");
	assert_contains(blocker->remedy, "AddDevice");
	decision_done(&decision);
	host_done(&host);
}

static void test_states_are_named(void **state)
{
	static const struct {
		enum claim_state state;
		const char *message, *remedy;
	} cases[] = {
		{ CLAIM_LINGERING, "lingering", "process" },
		{ CLAIM_QUARANTINED, "quarantined", "operator" },
		{ CLAIM_STUCK, "stuck", "operator" },
		{ CLAIM_LOST, "lost", "release" },
		{ CLAIM_RELEASING, "being released", "try again" },
	};
	struct host host;
	struct claim *claim;

	host_init_two_groups(&host);
	claim = host_claim(&host, "c1", BOB, "r", DISK);
	strcpy(claim->note, "the note");
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct decision decision;

		claim->state = cases[i].state;
		decision = refused(&host, POLICY, ALICE, DISK);
		assert_contains(decision.blocker[0].message, cases[i].message);
		assert_untold(&decision, "the note");
		decision_done(&decision);
		decision = refused(&host, POLICY, BOB, DISK);
		assert_contains(decision.blocker[0].message, "the note");
		assert_contains(decision.blocker[0].remedy, cases[i].remedy);
		decision_done(&decision);
	}
	host_done(&host);
}

/* The device is in the growing claim already: a second set of FDs is not to be had. */
static void test_already_in_the_claim(void **state)
{
	struct question question = { .uid = BOB, .mode = MODE_ATTACHED, .device = { DISK } };
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	question.claim = host_claim(&host, "c1", BOB, "r", DISK);
	ask_under(&host, POLICY, &question, &decision);
	assert_int_equal(decision.status, EXIT_BUSY);
	assert_contains(find_blocker(&decision, BLOCKER_CLAIMED, DISK, "")->remedy, "leave it out");
	decision_done(&decision);
	host_done(&host);
}

/* Who may not have the device at all is not told whose it is. */
static void test_no_rule_no_owner(void **state)
{
	struct question question = { .uid = ALICE, .device = { DISK } };
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	host_claim(&host, "c1", BOB, "r", DISK);
	ask_under(&host, "{}", &question, &decision);
	assert_int_equal(decision.status, EXIT_REFUSED);
	assert_int_equal(decision.blocker_count, 1);
	decision_done(&decision);
	host_done(&host);
}

/* Of all that stands against a claim the status says what counts most: unknown, policy, busy, hardware. */
static void test_status_order(void **state)
{
	struct question question = { .uid = ALICE, .device = { DISK } };
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	host.kernel.iommufd = 0;
	ask_under(&host, POLICY, &question, &decision);
	assert_int_equal(decision.status, EXIT_UNSUPPORTED);
	decision_done(&decision);
	host_claim(&host, "c1", BOB, "r", DISK);
	ask_under(&host, POLICY, &question, &decision);
	assert_int_equal(decision.status, EXIT_BUSY);
	assert_int_equal(decision.blocker_count, 2);
	decision_done(&decision);
	question.mode = MODE_OPEN;
	ask_under(&host, POLICY, &question, &decision);
	assert_int_equal(decision.status, EXIT_REFUSED);
	assert_int_equal(decision.blocker_count, 3);
	decision_done(&decision);
	question.device[1] = "0000:77:00.0";
	ask_under(&host, POLICY, &question, &decision);
	assert_int_equal(decision.status, EXIT_UNKNOWN);
	assert_int_equal(decision.blocker_count, 4);
	decision_done(&decision);
	host_done(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_use),           cmocka_unit_test(test_member_in_use),
		cmocka_unit_test(test_mount_points),     cmocka_unit_test(test_holders),
		cmocka_unit_test(test_claimed),          cmocka_unit_test(test_other_context),
		cmocka_unit_test(test_states_are_named), cmocka_unit_test(test_already_in_the_claim),
		cmocka_unit_test(test_no_rule_no_owner), cmocka_unit_test(test_status_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
