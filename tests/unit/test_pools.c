/* "Any one of" a pool: which device it comes to, why, what is said where there is none, and what has to be surveyed. */
#include "decision_fixture.h"

#include "../../policy/decide/pool_shortlist.h"

#include <stdio.h>
#include <string.h>

#define POLICY(rule) \
	"{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\", \"device\": {\"pool\": \"vfs\"}, \"lockout\": " \
	"\"unused\"" rule "}," \
	" {\"name\": \"other\", \"effect\": \"allow\", \"device\": {\"class\": \"01\"}}]," \
	" \"pools\": {\"vfs\": [{\"id\": \"8086:10ca\"}], \"none\": [{\"id\": \"ffff:ffff\"}]}}"

/* A virtual function in a group of its own, or with others. */
static void add_vf(struct host *host, const char *name, int32_t group, int32_t node)
{
	struct device device = device_of(name, group, "");

	device.pci.device = 0x10ca;
	device.numa_node = node;
	host_add(host, &device);
}

static void host_init_pool(struct host *host)
{
	host_init(host);
	add_vf(host, "0000:03:00.3", 13, 1);
	add_vf(host, "0000:03:00.2", 12, 0);
	add_vf(host, "0000:03:00.1", 11, 0);
	/* Two in one group: the first by address, but it locks out the other. */
	add_vf(host, "0000:02:00.0", 10, 1);
	add_vf(host, "0000:02:00.1", 10, 1);
}

/* Asks for the devices and checks what comes first of the chosen; NULL: nothing was chosen. */
static void check(struct host *host, const char *policy, const struct question *question, const char *device,
		  const char *why)
{
	struct decision decision;

	ask_under(host, policy, question, &decision);
	assert_int_equal(decision.chosen_count, device != NULL);
	if (device) {
		assert_string_equal(decision.chosen[0].device, device);
		assert_string_equal(decision.chosen[0].pool, "vfs");
		assert_contains(decision.chosen[0].why, why);
		assert_string_equal(decision.device[0].device, device);
	}
	decision_done(&decision);
}

static void test_best(void **state)
{
	struct question question = { .uid = 1000, .device = { "pool:vfs" } };
	struct host host;

	host_init_pool(&host);
	/* The fewest lockouts first, then the first by address. */
	check(&host, POLICY(""), &question, "0000:03:00.1", "5 of the pool's 5 devices");
	/* Then the client's node. */
	question.numa_node = 2;
	check(&host, POLICY(""), &question, "0000:03:00.3", "is on the client's NUMA node");
	/* What is claimed, in use, or denied is not taken. */
	host_claim(&host, "c1", 1001, "r", "0000:03:00.3");
	check(&host, POLICY(""), &question, "0000:03:00.1", "4 of the pool's 5 devices");
	host_add_use(&host, "0000:03:00.1", USE_NETWORK_LINK, SEVERITY_DISRUPTIVE, "eth0 is up");
	check(&host, POLICY(""), &question, "0000:03:00.2", "is not on the client's NUMA node");
	/* Lockouts count before the node; with all else gone they are taken. */
	host_add_use(&host, "0000:03:00.2", USE_HOLDER, SEVERITY_DISRUPTIVE, "somebody has it");
	check(&host, POLICY(""), &question, "0000:02:00.0", "2 of the pool's 5 devices");
	host_done(&host);
}

static void test_several(void **state)
{
	struct question question = { .uid = 1000, .device = { "pool:vfs", "0000:03:00.1", "pool:vfs", "pool:vfs" } };
	static const char *const expected[] = { "0000:03:00.2", "0000:03:00.1", "0000:03:00.3", "0000:02:00.0" };
	struct decision decision;
	struct host host;

	host_init_pool(&host);
	ask_under(&host, POLICY(""), &question, &decision);
	assert_true(decision.allowed);
	assert_int_equal(decision.device_count, COUNT(expected));
	for (size_t i = 0; i < COUNT(expected); i++)
		assert_string_equal(decision.device[i].device, expected[i]);
	assert_int_equal(decision.chosen_count, 3);
	assert_int_equal(decision.lockout_count, 1);
	decision_done(&decision);
	/* A member of a group that is asked for costs nothing more. */
	question = (struct question){ .uid = 1000, .device = { "0000:02:00.1", "pool:vfs" } };
	ask_under(&host, POLICY(""), &question, &decision);
	assert_string_equal(decision.device[1].device, "0000:02:00.0");
	assert_true(decision.allowed);
	decision_done(&decision);
	/* More than there are. */
	question = (struct question){
		.uid = 1000, .device = { "pool:vfs", "pool:vfs", "pool:vfs", "pool:vfs", "pool:vfs", "pool:vfs" }
	};
	ask_under(&host, POLICY(""), &question, &decision);
	assert_int_equal(decision.status, EXIT_UNKNOWN);
	assert_int_equal(decision.chosen_count, 5);
	find_blocker(&decision, BLOCKER_UNKNOWN_DEVICE, "pool:vfs", "");
	decision_done(&decision);
	host_done(&host);
}

/* Of a pool in which nothing can be had the best says why. */
static void test_none_free(void **state)
{
	struct question question = { .uid = 1000, .device = { "pool:vfs" } };
	struct decision decision;
	struct host host;

	host_init_pool(&host);
	ask_under(&host, POLICY(", \"subject\": {\"user\": \"bob\"}"), &question, &decision);
	assert_int_equal(decision.status, EXIT_REFUSED);
	find_blocker(&decision, BLOCKER_NO_RULE, "0000:03:00.1", "");
	decision_done(&decision);
	/* Two things against one, one against another: the one with fewer. */
	host_add_use(&host, "0000:03:00.1", USE_NETWORK_LINK, SEVERITY_DISRUPTIVE, "eth0 is up");
	host_device(&host, "0000:03:00.1")->pci.reset_methods = 0;
	for (int i = 2; i <= 3; i++) {
		char name[DEVICE_NAME_MAX];

		snprintf(name, sizeof name, "0000:03:00.%d", i);
		host_add_use(&host, name, USE_NETWORK_LINK, SEVERITY_DISRUPTIVE, "eth1 is up");
	}
	host_add_use(&host, "0000:02:00.0", USE_NETWORK_LINK, SEVERITY_DISRUPTIVE, "eth2 is up");
	ask_under(&host, POLICY(""), &question, &decision);
	assert_int_equal(decision.status, EXIT_BUSY);
	find_blocker(&decision, BLOCKER_IN_USE, "0000:03:00.2", "");
	assert_contains(decision.chosen[0].why, "0 of the pool's 5 devices");
	decision_done(&decision);
	host_done(&host);
}

static void test_unknown(void **state)
{
	struct question question = { .uid = 1000, .device = { "pool:cards" } };
	struct decision decision;
	struct host host;

	host_init_pool(&host);
	ask_under(&host, POLICY(""), &question, &decision);
	assert_int_equal(decision.status, EXIT_UNKNOWN);
	assert_contains(find_blocker(&decision, BLOCKER_UNKNOWN_POOL, "pool:cards", "")->message, "no pool:cards in");
	decision_done(&decision);
	question.device[0] = "pool:";
	ask_under(&host, POLICY(""), &question, &decision);
	find_blocker(&decision, BLOCKER_UNKNOWN_POOL, "pool:", "");
	decision_done(&decision);
	question.device[0] = "pool:none";
	ask_under(&host, POLICY(""), &question, &decision);
	assert_contains(find_blocker(&decision, BLOCKER_UNKNOWN_DEVICE, "pool:none", "")->message,
			"no further device on this host");
	decision_done(&decision);
	host_done(&host);
}

/* What was not surveyed is not chosen: its uses are not known. */
static void test_candidates(void **state)
{
	static const char *const candidates[] = { "0000:03:00.3", "0000:99:00.0", "0000:02:00.1" };
	struct question question = {
		.uid = 1000, .device = { "pool:vfs" }, .candidate = candidates, .candidate_count = COUNT(candidates)
	};
	struct host host;

	host_init_pool(&host);
	check(&host, POLICY(""), &question, "0000:03:00.3", "2 of the pool's 2 devices");
	question.candidate_count = 0;
	check(&host, POLICY(""), &question, NULL, "");
	host_done(&host);
}

/* A claim has one rule: a device under the rule of the others comes before one with fewer lockouts. */
static void test_same_rule(void **state)
{
	static const char text[] =
		"{\"rules\": [{\"name\": \"a\", \"effect\": \"allow\", \"lockout\": \"unused\", \"device\": "
		"{\"address\": \"0000:02:*\"}},"
		" {\"name\": \"b\", \"effect\": \"allow\", \"device\": {\"address\": \"0000:0[3-4]:*\"}}],"
		" \"pools\": {\"vfs\": [{\"id\": \"8086:10ca\"}]}}";
	struct question question = { .uid = 1000, .device = { "pool:vfs" } };
	struct host host;

	host_init_pool(&host);
	check(&host, text, &question, "0000:03:00.1", "");
	question.claim = host_claim(&host, "c1", 1000, "a", "0000:02:00.1");
	check(&host, text, &question, "0000:02:00.0", "0, and is the first");
	host_done(&host);
}

static int shortlist(struct host *host, const char *text, const char *const *devices, size_t count, const char **out)
{
	struct policy *policy = policy_of(text);
	struct subject subject = subject_of(1000);
	struct request request = { .subject = &subject, .device = devices, .device_count = count, .numa_node = -1 };
	int found = pool_shortlist(policy, &host->view, &request, out);

	policy_free(policy);
	return found;
}

static void test_shortlist(void **state)
{
	const char *devices[] = { "pool:vfs" }, *mixed[] = { "pool:vfs", "0000:02:00.0", "pool:none", "pool:x" };
	const char *out[GROUP_MEMBERS_MAX];
	struct host host;

	host_init_pool(&host);
	assert_int_equal(shortlist(&host, POLICY(""), devices, 1, out), 5);
	assert_string_equal(out[0], "0000:03:00.1");
	assert_string_equal(out[3], "0000:02:00.0");
	host_claim(&host, "c1", 1001, "r", "0000:03:00.1");
	assert_int_equal(shortlist(&host, POLICY(""), mixed, COUNT(mixed), out), 5);
	assert_string_equal(out[0], "0000:03:00.2");
	assert_string_equal(out[4], "0000:03:00.1");
	/* Nobody may: as many as are asked for, to say why. */
	assert_int_equal(shortlist(&host, POLICY(", \"subject\": {\"user\": \"bob\"}"), devices, 1, out), 1);
	host_done(&host);
}

/* 10,000 virtual functions: only so many are looked at as one survey can have. */
static void test_large_pool(void **state)
{
	const char *devices[] = { "pool:vfs", "pool:vfs" }, *out[GROUP_MEMBERS_MAX];
	struct host host;
	int found;

	host_init(&host);
	for (unsigned i = 0; i < 10000; i++) {
		char name[DEVICE_NAME_MAX];

		snprintf(name, sizeof name, "%04x:%02x:%02x.%u", i >> 13, i >> 8 & 31, i >> 3 & 31, i & 7);
		add_vf(&host, name, (int32_t)(i / 8), 0);
	}
	found = shortlist(&host, POLICY(""), devices, 2, out);
	assert_int_equal(found, 2 + POOL_CANDIDATES_SPARE);
	for (int i = 0; i < found; i++)
		for (int k = 0; k < i; k++)
			assert_string_not_equal(out[i], out[k]);
	host_done(&host);
	/* Large groups: 256 members in all. */
	host_init(&host);
	for (unsigned i = 0; i < 1000; i++) {
		char name[DEVICE_NAME_MAX];

		snprintf(name, sizeof name, "0000:%02x:%02x.%u", i >> 8 & 31, i >> 3 & 31, i & 7);
		add_vf(&host, name, (int32_t)(i / 100), 0);
		host_device(&host, name)->pci.device = i % 50 ? 0x10cb : 0x10ca;
	}
	assert_int_equal(shortlist(&host, POLICY(""), devices, 2, out), 4);
	host_done(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_best),      cmocka_unit_test(test_several),    cmocka_unit_test(test_none_free),
		cmocka_unit_test(test_unknown),   cmocka_unit_test(test_candidates), cmocka_unit_test(test_same_rule),
		cmocka_unit_test(test_shortlist), cmocka_unit_test(test_large_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
