/*
 * Every allocation of the core made to fail, one after the other (F2): each call says -ENOMEM, leaves its outputs and
 * its arguments as they were, and loses nothing. The linker puts the functions below in front of the C library's.
 */
#include "decision_fixture.h"

#include "../../policy/check/plan_check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_reallocarray(void *block, size_t count, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_reallocarray(void *block, size_t count, size_t size);
char *__wrap_strdup(const char *text);

static unsigned countdown; /* the allocation that fails; 0: none */
static bool failed;

static bool fails(void)
{
	if (countdown == 0 || --countdown > 0)
		return false;
	failed = true;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_reallocarray(void *block, size_t count, size_t size)
{
	return fails() ? NULL : __real_reallocarray(block, count, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

/* Lets the n-th allocation from now on fail. */
static void fail_at(unsigned n)
{
	countdown = n;
	failed = false;
}

/* Ends that; true if an allocation did fail. */
static bool did_fail(void)
{
	countdown = 0;
	return failed;
}

static void test_policy(void **state)
{
	size_t length;
	char *text = read_whole(POLICY_FOLDER, "example.json", &length);
	struct policy_source source = { .path = "example.json", .text = text, .length = length };
	unsigned n = 1;

	for (;; n++) {
		struct diagnostics diagnostics = { .item = NULL };
		struct policy *policy = NULL;
		int error;

		fail_at(n);
		error = policy_parse(&source, 1, &test_names, &diagnostics, &policy);
		diagnostics_done(&diagnostics);
		if (!did_fail()) {
			assert_int_equal(error, 0);
			policy_free(policy);
			break;
		}
		assert_int_equal(error, -ENOMEM);
		assert_null(policy);
	}
	assert_in_range(n, 40, 500);
	free(text);
}

/* A policy that is wrong stays refused, if without a word. */
static void test_wrong_policy(void **state)
{
	static const char text[] = "{\"rules\": [{\"name\": \"r\", \"effect\": \"x\", \"rulez\": 1}], \"never\": [{}]}";
	struct policy_source source = { .path = "p", .text = text, .length = sizeof text - 1 };
	bool more = true;

	for (unsigned n = 1; more; n++) {
		struct diagnostics diagnostics = { .item = NULL };
		struct policy *policy = NULL;
		int error;

		fail_at(n);
		error = policy_parse(&source, 1, &test_names, &diagnostics, &policy);
		more = did_fail();
		assert_true(error == -EINVAL || (more && error == -ENOMEM));
		assert_true(error == -ENOMEM || diagnostics.errors == 4);
		assert_null(policy);
		diagnostics_done(&diagnostics);
	}
}

/* Decides about both members of a group and a device that has a lockout; allowed or not by the policy. */
static unsigned decide_all(const char *text, bool allowed, const char *const devices[2])
{
	struct subject alice = subject_of(1000);
	struct request request = { .subject = &alice, .device = devices, .device_count = 2 };
	struct policy *policy = policy_of(text);
	struct host host;
	unsigned n = 1;

	host_init_two_groups(&host);
	for (;; n++) {
		struct decision decision = { .status = EXIT_USAGE };
		int error;

		fail_at(n);
		error = decide(policy, &host.view, &request, &decision);
		if (!did_fail()) {
			assert_int_equal(error, 0);
			assert_int_equal(decision.allowed, allowed);
			decision_done(&decision);
			break;
		}
		assert_int_equal(error, -ENOMEM);
		assert_int_equal(decision.status, EXIT_USAGE);
		assert_null(decision.device);
	}
	policy_free(policy);
	host_done(&host);
	return n;
}

static void test_decisions(void **state)
{
	static const char *const devices[] = { CARD, DISK }, *const pools[] = { "pool:p", "pool:p" };
	static const char pool[] = "{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\", \"lockout\": \"unused\","
				   " \"device\": {\"pool\": \"p\"}}], \"pools\": {\"p\": [{\"kind\": \"pci\"}]}}";

	assert_int_equal(decide_all(RULE_FOR_ALICE(", \"lockout\": \"unused\""), true, devices), 7);
	assert_int_equal(decide_all(RULE_FOR_ALICE(""), false, devices), 6);
	assert_true(decide_all(pool, true, pools) > 6);
}

/* A check that can't be finished covers nothing. */
static void test_plan_check(void **state)
{
	struct policy *policy = policy_of(RULE_FOR_ALICE(", \"lockout\": \"unused\""));
	struct question question = { .uid = 1000, .device = { CARD, DISK } };
	const struct plan_owner owner = { .rule = "r", .subject = { .uid = 1000 } };
	struct decision decision;
	bool more = true;
	struct host host;

	host_init_two_groups(&host);
	ask(&host, policy, &question, &decision);
	for (unsigned n = 1; more; n++) {
		char why[TEXT_MAX] = "";
		bool covered;

		fail_at(n);
		covered = plan_is_covered(policy, &host.view, &decision.plan, &owner, why);
		more = did_fail();
		assert_int_equal(covered, !more);
		assert_string_equal(why, more ? "out of memory" : "");
	}
	decision_done(&decision);
	policy_free(policy);
	host_done(&host);
}

/* A failed put leaves the device where it was, and no empty group behind. */
static void test_topology(void **state)
{
	struct topology *topology = topology_new();
	const struct device *members[2];

	for (unsigned i = 0; i < 200; i++) {
		struct device device;
		char name[DEVICE_NAME_MAX];
		bool more = true;

		snprintf(name, sizeof name, "0000:%02x:00.0", i / 2);
		device = device_of(name, (int32_t)i, "");
		for (unsigned n = 1; more; n++) {
			int error;

			fail_at(n);
			error = topology_put(topology, &device);
			more = did_fail();
			assert_int_equal(error, more ? -ENOMEM : 0);
			assert_int_equal(topology_members(topology, (int32_t)i, members, 2), !more);
			if (more && i % 2 == 1)
				assert_int_equal(topology_find(topology, name)->group, i - 1);
		}
	}
	assert_int_equal(topology_count(topology), 100);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(topology_members(topology, (int32_t)i, members, 2), i % 2);
	topology_free(topology);
}

static void test_ledger(void **state)
{
	struct ledger *ledger = ledger_new();
	struct claim *claim = NULL;
	bool more = true;

	for (unsigned n = 1; more; n++) {
		int error;

		fail_at(n);
		error = ledger_add(ledger, &(struct claim){ .id = "c" }, &claim);
		more = did_fail();
		assert_int_equal(error, more ? -ENOMEM : 0);
		assert_int_equal(ledger_count(ledger), !more);
		assert_true(more == (claim == NULL));
	}
	for (unsigned i = 0; i < 50; i++) {
		struct claim_device device = { .lockout = false };
		char name[DEVICE_NAME_MAX];

		snprintf(name, sizeof name, "0000:%02x:00.0", i);
		device.before = device_of(name, 1, "");
		more = true;
		for (unsigned n = 1; more; n++) {
			int error;

			fail_at(n);
			error = ledger_take(ledger, claim, &device);
			more = did_fail();
			assert_int_equal(error, more ? -ENOMEM : 0);
			assert_int_equal(claim->device_count, i + !more);
			assert_ptr_equal(ledger_owner(ledger, name, NULL), more ? NULL : claim);
		}
	}
	ledger_free(ledger);
}

static void test_lists(void **state)
{
	struct use use = { .device = "0000:01:00.0" };
	struct step step = { .kind = STEP_CONTEXT };
	struct uses uses = { .use = NULL };
	struct plan plan = { .step = NULL };

	for (unsigned i = 0; i < 100; i++) {
		fail_at(1);
		if (uses_add(&uses, &use) < 0) {
			assert_int_equal(uses.count, i);
			assert_true(did_fail());
			assert_int_equal(uses_add(&uses, &use), 0);
		}
		fail_at(1);
		if (plan_add(&plan, &step) < 0) {
			assert_int_equal(plan.count, i);
			assert_true(did_fail());
			assert_int_equal(plan_add(&plan, &step), 0);
		}
		did_fail();
		assert_int_equal(uses.count, i + 1);
		assert_int_equal(plan.count, i + 1);
	}
	uses_done(&uses);
	plan_done(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy),    cmocka_unit_test(test_wrong_policy),
		cmocka_unit_test(test_decisions), cmocka_unit_test(test_plan_check),
		cmocka_unit_test(test_topology),  cmocka_unit_test(test_ledger),
		cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
