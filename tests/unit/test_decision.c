/* Decisions that allow: lockouts, plans, growing; and that a decision changes nothing and depends on nothing else. */
#include "decision_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_alone_in_its_group(void **state)
{
	struct question question = { .uid = 1000, .device = { DISK } };
	struct policy *policy = policy_of(RULE_FOR_ALICE(", \"limits\": {\"memlock\": \"1M\"}"));
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	ask(&host, policy, &question, &decision);
	assert_true(decision.allowed);
	assert_int_equal(decision.device_count, 1);
	assert_string_equal(decision.device[0].device, DISK);
	assert_ptr_equal(decision.device[0].rule, &policy->rule[0]);
	assert_int_equal(decision.lockout_count, 0);
	assert_int_equal(decision.plan.count, 9);
	assert_int_equal(decision.plan.step[0].kind, STEP_OVERRIDE);
	assert_int_equal(decision.plan.step[8].kind, STEP_MEMLOCK);
	assert_int_equal(decision.plan.step[8].number, 1 << 20);
	decision_done(&decision);
	decision_done(&decision);
	/* A host without claims, as a snapshot of another machine is. */
	host.view.ledger = NULL;
	ask(&host, policy, &question, &decision);
	assert_true(decision.allowed);
	decision_done(&decision);
	policy_free(policy);
	host_done(&host);
}

/* The bridge of the group is no lockout; the sibling is, with what the host loses. */
static void test_lockout_unused(void **state)
{
	struct question question = { .uid = 1000, .device = { CARD } };
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	host_add_use(&host, NETWORK, USE_DRIVER, SEVERITY_IDLE, "driver e1000, its link is down");
	ask_under(&host, RULE_FOR_ALICE(", \"lockout\": \"unused\""), &question, &decision);
	assert_true(decision.allowed);
	assert_int_equal(decision.lockout_count, 1);
	assert_string_equal(decision.lockout[0].device, NETWORK);
	assert_string_equal(decision.lockout[0].for_device, CARD);
	assert_string_equal(decision.lockout[0].driver, "e1000");
	assert_string_equal(decision.lockout[0].use, "driver e1000, its link is down");
	assert_int_equal(decision.lockout[0].severity, SEVERITY_IDLE);
	assert_true(decision.lockout[0].covered);
	assert_string_equal(decision.plan.step[1].device, NETWORK);
	assert_string_equal(decision.plan.step[1].value, PINNED_OVERRIDE);
	decision_done(&decision);
	host_done(&host);
}

static void test_lockout_named(void **state)
{
	struct question question = { .uid = 1000, .device = { CARD } };
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	ask_under(&host, RULE_FOR_ALICE(", \"lockout\": {\"named\": [\"" NETWORK "\"]}"), &question, &decision);
	assert_true(decision.allowed);
	assert_true(decision.lockout[0].covered);
	decision_done(&decision);
	/* In use it stays with the host, unless the rule says otherwise. */
	host_add_use(&host, NETWORK, USE_NETWORK_LINK, SEVERITY_FATAL, "enp2s2: default route");
	ask_under(&host, RULE_FOR_ALICE(", \"lockout\": {\"named\": [\"" NETWORK "\"]}"), &question, &decision);
	assert_int_equal(decision.status, EXIT_BUSY);
	decision_done(&decision);
	ask_under(&host, RULE_FOR_ALICE(", \"in_use\": \"take\", \"lockout\": {\"named\": [\"" NETWORK "\"]}"),
		  &question, &decision);
	assert_true(decision.allowed);
	assert_true(decision.lockout[0].covered);
	assert_int_equal(decision.lockout[0].severity, SEVERITY_FATAL);
	decision_done(&decision);
	/* Consent is for the members that are named: "unused" stays what it says. */
	ask_under(&host, RULE_FOR_ALICE(", \"in_use\": \"take\", \"lockout\": \"unused\""), &question, &decision);
	assert_int_equal(decision.status, EXIT_BUSY);
	decision_done(&decision);
	host_done(&host);
}

/* Both members asked for: no lockout, and a rule that allows none is enough. Asked twice counts once. */
static void test_both_members(void **state)
{
	struct question question = { .uid = 1000, .device = { NETWORK, CARD, NETWORK, CARD } };
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	ask_under(&host, RULE_FOR_ALICE(", \"limits\": {\"devices\": 2}"), &question, &decision);
	assert_true(decision.allowed);
	assert_int_equal(decision.device_count, 2);
	assert_string_equal(decision.device[0].device, NETWORK);
	assert_string_equal(decision.device[1].device, CARD);
	assert_int_equal(decision.lockout_count, 0);
	decision_done(&decision);
	host_done(&host);
}

/* Consent to a device in use is for that very address; a glob or an id does not give it. */
static void test_take_in_use(void **state)
{
	static const struct {
		const char *selector;
		bool allowed;
	} cases[] = {
		{ "{\"address\": [\"" DISK "\"]}", true },
		{ "{\"address\": [\"0000:03:*\", \"" DISK "\"]}", true },
		{ "{\"address\": [\"0000:03:*\"]}", false },
		{ "{\"class\": [\"0108\"]}", false },
	};
	struct question question = { .uid = 1000, .device = { DISK } };
	struct host host;

	host_init_two_groups(&host);
	host_add_use(&host, DISK, USE_MOUNT, SEVERITY_FATAL, "nvme0n1 > mounted on /srv");
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct decision decision;
		char text[512];

		snprintf(text, sizeof text,
			 "{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\", \"in_use\": \"take\", "
			 "\"device\": %s}]}",
			 cases[i].selector);
		ask_under(&host, text, &question, &decision);
		assert_int_equal(decision.allowed, cases[i].allowed);
		decision_done(&decision);
	}
	host_done(&host);
}

/* A claim grows by the member that it locked out: nothing new is locked out, and the plan is for that member alone. */
static void test_grow_by_own_lockout(void **state)
{
	struct question question = { .uid = 1000, .mode = MODE_ATTACHED, .device = { NETWORK } };
	struct decision decision;
	struct claim *claim;
	struct host host;

	host_init_two_groups(&host);
	claim = host_claim(&host, "c1", 1000, "r", CARD);
	claim->ioas_id = 9;
	host_claim_more(&host, claim, NETWORK, true);
	host_device(&host, NETWORK)->driver[0] = '\0';
	strcpy(host_device(&host, NETWORK)->driver_override, PINNED_OVERRIDE);
	question.claim = claim;
	ask_under(&host, RULE_FOR_ALICE(", \"limits\": {\"devices\": 2, \"memlock\": \"1M\"}"), &question, &decision);
	assert_true(decision.allowed);
	assert_int_equal(decision.lockout_count, 0);
	assert_int_equal(decision.plan.count, 7);
	assert_int_equal(decision.plan.step[2].kind, STEP_CONTEXT);
	assert_int_equal(decision.plan.step[2].number, 1);
	assert_int_equal(decision.plan.step[5].kind, STEP_IOAS);
	assert_int_equal(decision.plan.step[5].number, 9);
	decision_done(&decision);
	host_done(&host);
}

/* It grows into another group: that group's members are new lockouts, its own are not told again. */
static void test_grow_into_another_group(void **state)
{
	struct question question = { .uid = 1000, .mode = MODE_ATTACHED, .device = { CARD } };
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	question.claim = host_claim(&host, "c1", 1000, "r", DISK);
	ask_under(&host, RULE_FOR_ALICE(", \"lockout\": \"unused\""), &question, &decision);
	assert_true(decision.allowed);
	assert_int_equal(decision.lockout_count, 1);
	decision_done(&decision);
	host_done(&host);
}

/* No rule: all lockouts are still told, and why it is refused in one blocker. */
static void test_lockouts_without_rule(void **state)
{
	struct question question = { .uid = 1001, .device = { CARD } };
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	host_add_use(&host, NETWORK, USE_NETWORK_LINK, SEVERITY_DISRUPTIVE, "enp2s2: link up");
	ask_under(&host, RULE_FOR_ALICE(", \"lockout\": \"unused\""), &question, &decision);
	assert_int_equal(decision.status, EXIT_REFUSED);
	assert_int_equal(decision.blocker_count, 1);
	assert_int_equal(decision.blocker[0].kind, BLOCKER_NO_RULE);
	assert_null(decision.device[0].rule);
	assert_int_equal(decision.lockout_count, 1);
	assert_false(decision.lockout[0].covered);
	assert_string_equal(decision.lockout[0].use, "enp2s2: link up");
	decision_done(&decision);
	host_done(&host);
}

/* The lockouts of several groups come sorted, each with the device that it is for. */
static void test_lockouts_sorted(void **state)
{
	struct question question = { .uid = 1000, .device = { DISK, CARD } };
	static const char *const more[] = { "0000:03:00.7", "0000:03:00.1", "0000:02:03.0" };
	static const char *const sorted[] = { NETWORK, "0000:02:03.0", "0000:03:00.1", "0000:03:00.7" };
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	for (size_t i = 0; i < COUNT(more); i++) {
		struct device device = device_of(more[i], i < 2 ? 6 : 5, "");

		host_add(&host, &device);
	}
	ask_under(&host, RULE_FOR_ALICE(", \"lockout\": \"unused\""), &question, &decision);
	assert_true(decision.allowed);
	assert_int_equal(decision.lockout_count, COUNT(sorted));
	for (size_t i = 0; i < COUNT(sorted); i++) {
		assert_string_equal(decision.lockout[i].device, sorted[i]);
		assert_string_equal(decision.lockout[i].for_device, i < 2 ? CARD : DISK);
	}
	decision_done(&decision);
	host_done(&host);
}

static void test_counts_out_of_range(void **state)
{
	struct subject alice = subject_of(1000);
	const char *devices[CLAIM_DEVICES_MAX + 1];
	struct request request = { .subject = &alice, .device = devices, .mode = MODE_ATTACHED };
	struct policy *policy = policy_of("{}");
	struct decision decision = { .status = 77 };
	struct host host;

	host_init_two_groups(&host);
	for (size_t i = 0; i < COUNT(devices); i++)
		devices[i] = CARD;
	assert_int_equal(decide(policy, &host.view, &request, &decision), -EINVAL);
	request.device_count = COUNT(devices);
	assert_int_equal(decide(policy, &host.view, &request, &decision), -EINVAL);
	request.device_count = 1;
	request.mode = DELIVERY_MODE_COUNT;
	assert_int_equal(decide(policy, &host.view, &request, &decision), -EINVAL);
	assert_int_equal(decision.status, 77);
	request.mode = MODE_OPEN;
	request.device_count = CLAIM_DEVICES_MAX;
	assert_int_equal(decide(policy, &host.view, &request, &decision), 0);
	assert_int_equal(decision.device_count, 1);
	decision_done(&decision);
	policy_free(policy);
	host_done(&host);
}

static void assert_equal_decisions(const struct decision *a, const struct decision *b)
{
	assert_int_equal(a->allowed, b->allowed);
	assert_int_equal(a->status, b->status);
	assert_int_equal(a->device_count, b->device_count);
	assert_int_equal(a->lockout_count, b->lockout_count);
	assert_int_equal(a->blocker_count, b->blocker_count);
	assert_int_equal(a->plan.count, b->plan.count);
	assert_memory_equal(a->device, b->device, a->device_count * sizeof *a->device);
	if (a->lockout_count)
		assert_memory_equal(a->lockout, b->lockout, a->lockout_count * sizeof *a->lockout);
	if (a->blocker_count)
		assert_memory_equal(a->blocker, b->blocker, a->blocker_count * sizeof *a->blocker);
	if (a->plan.count)
		assert_memory_equal(a->plan.step, b->plan.step, a->plan.count * sizeof *a->plan.step);
}

/* Everything that a decision looks at, as bytes: two of these are compared around decisions. */
static uint64_t print_of(const struct host *host, const struct policy *policy)
{
	uint64_t print = policy->digest;
	const struct device **sorted;
	size_t count;

	sorted = topology_sorted(host->topology, &count);
	assert_non_null(sorted);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < sizeof **sorted; k++)
			print = print * 31 + ((const unsigned char *)sorted[i])[k];
	free(sorted);
	for (size_t i = 0; i < host->uses.count * sizeof *host->uses.use; i++)
		print = print * 31 + ((const unsigned char *)host->uses.use)[i];
	for (const struct claim *claim = ledger_first(host->ledger); claim; claim = ledger_next(claim)) {
		for (size_t i = 0; i < sizeof *claim; i++)
			print = print * 31 + ((const unsigned char *)claim)[i];
		for (size_t i = 0; i < claim->device_count * sizeof *claim->device; i++)
			print = print * 31 + ((const unsigned char *)claim->device)[i];
	}
	return print;
}

/* The same question has the same answer, to the byte, in any state; and asking leaves no trace. */
static void test_pure(void **state)
{
	static const char *const names[] = { CARD, NETWORK, DISK, BRIDGE, "0000:09:00.0", "x" };
	struct policy *policy = policy_of(RULE_FOR_ALICE(", \"lockout\": \"unused\", \"limits\": {\"devices\": 2}"));
	struct dice dice = dice_of(11);
	struct host host;

	host_init_two_groups(&host);
	host_add_use(&host, DISK, USE_HOLDER, SEVERITY_IDLE, "nvme0 open in 4711 (smartd)");
	host_claim(&host, "c1", 1001, "r", NETWORK);
	for (unsigned round = 0; round < 300; round++) {
		struct question question = { .uid = dice_roll(&dice, 3) ? 1000 : 1001 };
		struct decision first, second;
		uint64_t print = print_of(&host, policy);

		question.mode = (enum delivery_mode)dice_roll(&dice, DELIVERY_MODE_COUNT);
		question.count = 1 + dice_roll(&dice, 4);
		for (size_t i = 0; i < question.count; i++)
			question.device[i] = names[dice_roll(&dice, COUNT(names))];
		ask(&host, policy, &question, &first);
		ask(&host, policy, &question, &second);
		assert_equal_decisions(&first, &second);
		assert_true(print_of(&host, policy) == print);
		decision_done(&first);
		decision_done(&second);
	}
	policy_free(policy);
	host_done(&host);
}

/* A claim of many devices with more members than one plan can move is told so, not cut off. */
static void test_too_many_steps(void **state)
{
	struct question question = { .uid = 1000, .count = 8 };
	static char names[8][DEVICE_NAME_MAX];
	struct decision decision;
	struct host host;

	host_init(&host);
	for (unsigned i = 0; i < 8; i++) {
		for (unsigned k = 0; k < 256; k++) {
			char name[DEVICE_NAME_MAX];
			struct device device;

			snprintf(name, sizeof name, "%04x:%02x:%02x.%x", i, k >> 5, k & 31, 0);
			device = device_of(name, (int32_t)i, "e1000");
			host_add(&host, &device);
		}
		snprintf(names[i], sizeof names[i], "%04x:00:00.0", i);
		question.device[i] = names[i];
	}
	ask_under(&host, RULE_FOR_ALICE(", \"lockout\": \"unused\""), &question, &decision);
	assert_int_equal(decision.status, EXIT_UNSUPPORTED);
	assert_contains(find_blocker(&decision, BLOCKER_GROUP_TOO_LARGE, NULL, NULL)->message, "more steps");
	assert_int_equal(decision.lockout_count, 8 * 255);
	decision_done(&decision);
	question.count = 1;
	ask_under(&host, RULE_FOR_ALICE(", \"lockout\": \"unused\""), &question, &decision);
	assert_true(decision.allowed);
	decision_done(&decision);
	host_done(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alone_in_its_group),
		cmocka_unit_test(test_lockout_unused),
		cmocka_unit_test(test_lockout_named),
		cmocka_unit_test(test_both_members),
		cmocka_unit_test(test_take_in_use),
		cmocka_unit_test(test_grow_by_own_lockout),
		cmocka_unit_test(test_grow_into_another_group),
		cmocka_unit_test(test_lockouts_without_rule),
		cmocka_unit_test(test_lockouts_sorted),
		cmocka_unit_test(test_counts_out_of_range),
		cmocka_unit_test(test_pure),
		cmocka_unit_test(test_too_many_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
