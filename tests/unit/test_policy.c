/* Policies that are right: what comes of each key, which rule decides, who is meant, and what a digest says. */
#include "fixture.h"

#include "../../policy/report/rule_json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Parses several files at once; *warnings counts what is doubtful. */
static struct policy *parse_files(const char *const *texts, size_t count, size_t *warnings)
{
	struct diagnostics diagnostics = { .item = NULL };
	struct policy_source source[4];
	struct policy *policy = NULL;

	for (size_t i = 0; i < count; i++) {
		static const char *const paths[] = { "10.json", "20.json", "30.json", "40.json" };

		source[i] = (struct policy_source){ .path = paths[i], .text = texts[i], .length = strlen(texts[i]) };
	}
	assert_int_equal(policy_parse(source, count, &test_names, &diagnostics, &policy), 0);
	assert_int_equal(diagnostics.errors, 0);
	*warnings = diagnostics.count;
	diagnostics_done(&diagnostics);
	return policy;
}

static void test_no_files(void **state)
{
	struct device device = device_of("0000:01:00.0", 1, "e1000");
	struct subject root = subject_of(0), alice = subject_of(1000);
	size_t warnings;
	struct policy *policy = parse_files(NULL, 0, &warnings);

	assert_int_equal(policy->rule_count, 0);
	assert_null(policy_rule_for(policy, NULL, &root, &device));
	assert_null(policy_never(policy, NULL, &device));
	assert_true(policy_is_operator(policy, &root));
	assert_false(policy_is_operator(policy, &alice));
	assert_null(policy_free(policy));
	assert_null(policy_free(NULL));
}

/* What a rule says stands in its report, every limit too. */
static void test_report(void **state)
{
	struct policy *policy = policy_of(
		"{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\", \"device\": {\"kind\": \"pci\"},"
		" \"modes\": [\"brokered\"], \"limits\": {\"devices\": 2, \"devices_total\": 5, \"memlock\": \"2M\","
		" \"ioasids\": 4, \"bytes\": \"1K\", \"pasids\": 8}, \"revoke\": {\"grace\": \"5s\"}}]}");
	struct json_object *report = rule_json_policy(policy, NULL);
	struct json_object *rule = json_object_array_get_idx(json_object_object_get(report, "rules"), 0);

	assert_string_equal(
		json_object_get_string(json_object_object_get(rule, "how")),
		"brokered; locks out nothing; reset require; at most 2 a user; at most 5 for all users; memlock 2 "
		"MiB; at most 4 address spaces a claim; at most 1024 mapped bytes a claim; at most 8 PASIDs a "
		"claim; 5 s to release when revoked");
	json_object_put(report);
	policy_free(policy);
}

static void test_defaults(void **state)
{
	struct policy *policy = policy_of("{\"rules\": [\n  {\"name\": \"r\", \"effect\": \"allow\",\n"
					  "   \"device\": {\"address\": \"0000:01:00.0\"}}]}");
	const struct rule *rule = policy->rule;

	assert_int_equal(policy->rule_count, 1);
	assert_string_equal(rule->name, "r");
	assert_string_equal(rule->file, "test.json");
	assert_int_equal(rule->line, 2);
	assert_int_equal(rule->effect, RULE_ALLOW);
	assert_true(rule->subject.any);
	assert_int_equal(rule->lockout, LOCKOUT_NONE);
	assert_int_equal(rule->modes, 1u << MODE_ATTACHED);
	assert_int_equal(rule->device_limit, UINT32_MAX);
	assert_int_equal(rule->device_total_limit, UINT32_MAX);
	assert_int_equal(rule->byte_limit, UINT64_MAX);
	assert_int_equal(policy->user_device_limit, UINT32_MAX);
	assert_int_equal(rule->memlock, 0);
	assert_int_equal(rule->reset, RESET_REQUIRE);
	assert_true(rule->restore);
	assert_false(rule->take_in_use);
	assert_int_equal(rule->revoke_grace_usec, 30 * 1000000);
	assert_int_equal(rule->revoke_stop, REVOKE_STOP_NOTHING);
	policy_free(policy);
}

static void test_every_key(void **state)
{
	struct policy *policy = policy_of(
		"{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\","
		" \"subject\": {\"user\": [\"alice\", 7, \"8\"], \"group\": \"kvm\"},"
		" \"device\": {\"address\": [\"0000:01:00.0\", \"0000:02:*\"], \"id\": \"8086:*\", \"class\": [\"02\"],"
		" \"driver\": [\"\", \"e1000*\"], \"pool\": [\"p\"], \"kind\": \"pci\"},"
		" \"lockout\": {\"named\": [\"0000:02:02.0\", \"0000:02:03.0\"]},"
		" \"modes\": [\"attached\", \"open\", \"node\", \"brokered\"],"
		" \"limits\": {\"devices\": 2, \"memlock\": \"64M\"}, \"reset\": \"skip\", \"restore\": false,"
		" \"revoke\": {\"grace\": \"90s\", \"stop\": \"unit\"},"
		" \"in_use\": \"take\"}], \"pools\": {\"p\": [{\"class\": \"020000\"}, {\"id\": \"1234:11e8\"}]},"
		" \"never\": [{\"driver\": \"ahci\", \"why\": \"disks\"}], \"operators\": {\"group\": [\"vmadmin\"]}}");
	const struct rule *rule = policy->rule;

	assert_false(rule->subject.any);
	assert_int_equal(rule->subject.uid_count, 3);
	assert_int_equal(rule->subject.uid[0], 1000);
	assert_int_equal(rule->subject.uid[1], 7);
	assert_int_equal(rule->subject.uid[2], 8);
	assert_int_equal(rule->subject.gid[0], 36);
	assert_int_equal(rule->device.list[SELECTOR_ADDRESS].count, 2);
	assert_string_equal(rule->device.list[SELECTOR_ID].item[0], "8086:*");
	assert_string_equal(rule->device.list[SELECTOR_DRIVER].item[0], "");
	assert_string_equal(rule->device.list[SELECTOR_POOL].item[0], "p");
	assert_int_equal(rule->lockout, LOCKOUT_NAMED);
	assert_int_equal(rule->lockout_named.count, 2);
	assert_int_equal(rule->modes, 15);
	assert_int_equal(rule->device_limit, 2);
	assert_int_equal(rule->memlock, 64 << 20);
	assert_int_equal(rule->reset, RESET_SKIP);
	assert_false(rule->restore);
	assert_true(rule->take_in_use);
	assert_int_equal(rule->revoke_grace_usec, 90 * 1000000);
	assert_int_equal(rule->revoke_stop, REVOKE_STOP_UNIT);
	assert_int_equal(policy->pool_count, 1);
	assert_int_equal(policy->pool[0].selector_count, 2);
	assert_string_equal(policy->never[0].why, "disks");
	assert_int_equal(policy->never[0].line, 1);
	assert_int_equal(policy->operators.gid[0], 200);
	assert_int_equal(policy->file_count, 1);
	policy_free(policy);
}

/* What the broker can count it can limit: where it makes the mappings itself, and nobody else does. */
static void test_counted_limits(void **state)
{
	struct policy *policy =
		policy_of("{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\", \"modes\": \"brokered\","
			  " \"device\": {\"kind\": \"pci\"}, \"limits\": {\"ioasids\": 4, \"bytes\": \"2G\","
			  " \"pasids\": 3, \"devices\": 2, \"devices_total\": 8}}]}");

	assert_int_equal(policy->rule->ioasid_limit, 4);
	assert_int_equal(policy->rule->byte_limit, UINT64_C(2) << 30);
	assert_int_equal(policy->rule->pasid_limit, 3);
	assert_int_equal(policy->rule->device_total_limit, 8);
	policy_free(policy);
}

static void test_memlock_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} sizes[] = {
		{ "1", 1 },
		{ "\"1\"", 1 },
		{ "\"1K\"", 1024 },
		{ "\"3G\"", UINT64_C(3) << 30 },
		{ "\"16T\"", UINT64_C(16) << 40 },
		{ "\"unlimited\"", UINT64_MAX },
		{ "65536", 65536 },
	};

	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct policy *policy;
		char text[256];

		snprintf(text, sizeof text,
			 "{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\", \"device\": {\"kind\": \"pci\"},"
			 "\"limits\": {\"memlock\": %s}}]}",
			 sizes[i].text);
		policy = policy_of(text);
		assert_int_equal(policy->rule[0].memlock, sizes[i].bytes);
		policy_free(policy);
	}
}

static void test_grace_times(void **state)
{
	static const struct {
		const char *text;
		uint64_t usec;
	} times[] = {
		{ "0s", 0 },
		{ "250ms", 250000 },
		{ "1s", 1000000 },
		{ "2m", 120000000 },
		{ "24h", UINT64_C(86400000000) },
	};

	for (size_t i = 0; i < COUNT(times); i++) {
		struct policy *policy;
		char text[256];

		snprintf(text, sizeof text,
			 "{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\", \"device\": {\"kind\": \"pci\"},"
			 "\"revoke\": {\"grace\": \"%s\"}}]}",
			 times[i].text);
		policy = policy_of(text);
		assert_int_equal(policy->rule[0].revoke_grace_usec, times[i].usec);
		assert_int_equal(policy->rule[0].revoke_stop, REVOKE_STOP_NOTHING);
		policy_free(policy);
	}
}

/* SR-45: two names for one number are one entry, and said to be so. */
static void test_two_names_one_uid(void **state)
{
	static const char *const texts[] = { "{\"operators\": {\"user\": [\"root\", \"toor\", 0]}}" };
	size_t warnings;
	struct policy *policy = parse_files(texts, 1, &warnings);

	assert_int_equal(policy->operators.uid_count, 1);
	assert_int_equal(warnings, 2);
	policy_free(policy);
}

static void test_warnings(void **state)
{
	static const char *const texts[] = {
		"{\"rules\": [{\"name\": \"x\", \"effect\": \"deny\", \"device\": {\"kind\": \"pci\"}}, {\"name\": "
		"\"y\","
		" \"effect\": \"allow\", \"device\": {\"kind\": \"pci\"}}]}",
		"{\"rules\": [{\"name\": \"a\", \"effect\": \"deny\", \"subject\": {\"unit\": \"vm@*.service\"},"
		" \"device\": {\"kind\": \"pci\"}}]}",
		"{\"rules\": [{\"name\": \"t\", \"effect\": \"allow\", \"limits\": {\"devices\": 3, \"devices_total\": "
		"2},"
		" \"device\": {\"kind\": \"pci\"}}]}",
		"{\"rules\": [{\"name\": \"b\", \"effect\": \"allow\", \"in_use\": \"take\","
		" \"device\": {\"address\": [\"0000:01:*\"]}}]}",
		"{\"rules\": [{\"name\": \"c\", \"effect\": \"allow\", \"in_use\": \"take\","
		" \"device\": {\"address\": [\"0000:01:*\", \"0000:02:00.0\"]}}]}",
	};
	struct subject subject = subject_of(1000);
	struct device device = device_of("0000:03:00.0", 1, "");
	size_t warnings;
	struct policy *policy;

	for (size_t i = 0; i < COUNT(texts); i++) {
		policy = parse_files(&texts[i], 1, &warnings);
		assert_int_equal(warnings, i < 4);
		/* The rule by unit matches nobody whose unit is not known. */
		if (i == 1)
			assert_null(policy_rule_for(policy, NULL, &subject, &device));
		policy_free(policy);
	}
	/* Where it is known, it does. */
	policy = parse_files(&texts[1], 1, &warnings);
	strcpy(subject.unit, "vm@7.service");
	assert_non_null(policy_rule_for(policy, NULL, &subject, &device));
	strcpy(subject.unit, "sshd.service");
	assert_null(policy_rule_for(policy, NULL, &subject, &device));
	policy_free(policy);
}

static bool selects(const char *selector, const struct device *device)
{
	struct policy *policy;
	char text[512];
	bool matches;

	snprintf(text, sizeof text,
		 "{\"pools\": {\"p\": [{\"id\": [\"1234:*\"]}, {\"driver\": [\"e1000\"], \"class\": [\"02\"]}]},"
		 " \"rules\": [{\"name\": \"r\", \"effect\": \"deny\", \"device\": %s}]}",
		 selector);
	policy = policy_of(text);
	matches = device_selector_matches(policy, NULL, &policy->rule[0].device, device);
	policy_free(policy);
	return matches;
}

static void test_device_selectors(void **state)
{
	struct device device = device_of("0000:01:00.0", 1, "e1000"), bare = device_of("0000:02:00.0", 2, "");
	static const struct {
		const char *selector;
		bool matches;
	} cases[] = {
		{ "{\"address\": [\"0000:01:00.0\"]}", true },
		{ "{\"address\": [\"0000:01:00.1\"]}", false },
		{ "{\"address\": [\"0000:01:00.1\", \"0000:01:*\"]}", true },
		{ "{\"address\": [\"0000:0[2-4]:*\"]}", false },
		{ "{\"name\": \"0000:01:00.0\"}", true },
		{ "{\"name\": [\"0000:01:00.1\"]}", false },
		{ "{\"name\": [\"0000:01:*\"], \"address\": \"*\"}", true },
		{ "{\"name\": [\"*\"], \"address\": \"0000:02:*\"}", false },
		{ "{\"id\": [\"8086:100e\"]}", true },
		{ "{\"id\": [\"8086:100f\"]}", false },
		{ "{\"id\": [\"*:100e\"]}", true },
		{ "{\"class\": [\"02\"]}", true },
		{ "{\"class\": [\"0200\"]}", true },
		{ "{\"class\": [\"020000\"]}", true },
		{ "{\"class\": [\"0201\"]}", false },
		{ "{\"class\": [\"03\", \"0[12]*\"]}", true },
		{ "{\"class\": [\"02?\"]}", false },
		{ "{\"driver\": [\"e1000\"]}", true },
		{ "{\"driver\": [\"e1000e\"]}", false },
		{ "{\"driver\": [\"\"]}", false },
		{ "{\"driver\": [\"e*\"]}", true },
		{ "{\"pool\": [\"p\"]}", true },
		{ "{\"kind\": \"pci\"}", true },
		{ "{\"kind\": \"pci\", \"class\": \"03\"}", false },
		{ "{\"subsystem\": \"1af4:1100\"}", true },
		{ "{\"subsystem\": [\"1af4:110[1-9]\", \"*:1100\"]}", true },
		{ "{\"subsystem\": \"8086:100e\"}", false },
		{ "{\"numa_node\": 1}", true },
		{ "{\"numa_node\": [0, 1]}", true },
		{ "{\"numa_node\": 11}", false },
		{ "{\"parent\": \"0000:00:1c.0\"}", true },
		{ "{\"parent\": \"0000:00:1d.0\"}", false },
		{ "{\"parent\": \"0000:01:*\"}", false },
		{ "{\"address\": [\"0000:01:*\"], \"id\": [\"8086:*\"], \"driver\": [\"e1000\"]}", true },
		{ "{\"address\": [\"0000:01:*\"], \"id\": [\"1234:*\"]}", false },
		{ "{\"pool\": [\"p\"], \"address\": [\"0000:02:*\"]}", false },
	};
	struct device_selector empty = { .list = { { .item = NULL } } };
	struct policy *policy = policy_of("{}");

	device.pci.subsystem_vendor = 0x1af4;
	device.pci.subsystem_device = 0x1100;
	device.numa_node = 1;
	strcpy(device.parent, "0000:00:1c.0");
	for (size_t i = 0; i < COUNT(cases); i++)
		if (selects(cases[i].selector, &device) != cases[i].matches)
			fail_msg("%s", cases[i].selector);
	assert_true(selects("{\"driver\": [\"\"]}", &bare));
	assert_true(selects("{\"driver\": \"*\"}", &bare));
	assert_false(selects("{\"numa_node\": 0}", &bare)); /* whose node is not known */
	assert_false(selects("{\"parent\": \"*\"}", &bare));
	assert_false(device_selector_matches(policy, NULL, &empty, &device));
	policy_free(policy);
}

/* "parent" means every bridge above, up to the root; a chain that runs in a circle ends. */
static void test_parents(void **state)
{
	struct policy *policy = policy_of("{\"never\": [{\"parent\": \"0000:00:01.?\"}]}");
	struct device root = device_of("0000:00:01.0", 1, "pcieport"),
		      bridge = device_of("0000:01:00.0", 2, "pcieport"), device = device_of("0000:02:00.0", 3, "e1000");
	struct host host;

	assert_true(policy->has_parents);
	host_init(&host);
	strcpy(device.parent, bridge.name);
	strcpy(bridge.parent, root.name);
	host_add(&host, &root);
	host_add(&host, &device);
	assert_null(policy_never(policy, host.topology, &device)); /* what is above the bridge is not known */
	host_add(&host, &bridge);
	assert_non_null(policy_never(policy, host.topology, &device));
	assert_non_null(policy_never(policy, host.topology, &bridge));
	assert_null(policy_never(policy, host.topology, &root)); /* it is not above itself */
	strcpy(bridge.parent, device.name);
	host_add(&host, &bridge);
	assert_null(policy_never(policy, host.topology, &device));
	host_done(&host);
	policy_free(policy);
}

static void test_subject_selectors(void **state)
{
	struct policy *policy =
		policy_of("{\"operators\": {\"user\": [\"alice\", \"bob\"], \"group\": [\"kvm\", \"staff\"]}}");
	const struct subject_selector *selector = &policy->operators;
	struct subject alice = subject_of(1000), carol = subject_of(1002);

	assert_false(subject_selector_matches(selector, &alice)); /* of the users, but of no group */
	alice.groups[0] = 301;
	alice.group_count = 1;
	assert_true(subject_selector_matches(selector, &alice));
	alice.group_count = 0;
	alice.gid = 36;
	assert_true(subject_selector_matches(selector, &alice));
	carol.gid = 36;
	assert_false(subject_selector_matches(selector, &carol));
	assert_true(policy_is_operator(policy, &alice));
	assert_false(policy_is_operator(policy, &carol));
	carol.uid = 0;
	assert_true(policy_is_operator(policy, &carol));
	policy_free(policy);
	policy = policy_of("{}");
	assert_false(subject_selector_matches(&policy->operators, &alice));
	policy_free(policy);
}

/* SR-04: a number above INT_MAX stays one. */
static void test_large_uid(void **state)
{
	struct policy *policy =
		policy_of("{\"rules\": [{\"name\": \"r\", \"effect\": \"deny\","
			  "\"subject\": {\"user\": [4000000000, \"4294967294\"]}, \"device\": {\"kind\": \"pci\"}}]}");
	struct device device = device_of("0000:01:00.0", 1, "");
	struct subject large = subject_of(4000000000u), largest = subject_of(4294967294u),
		       other = subject_of(294967296u);

	assert_non_null(policy_rule_for(policy, NULL, &large, &device));
	assert_non_null(policy_rule_for(policy, NULL, &largest, &device));
	assert_null(policy_rule_for(policy, NULL, &other, &device));
	policy_free(policy);
}

/* Rules count in the order of the files and of their lines, and the first that matches both decides. */
static void test_order(void **state)
{
	static const char *const texts[] = {
		"{\"rules\": [{\"name\": \"bob not\", \"effect\": \"deny\", \"subject\": {\"user\": \"bob\"},"
		" \"device\": {\"address\": \"0000:01:*\"}},"
		" {\"name\": \"one\", \"effect\": \"allow\", \"device\": {\"address\": \"0000:01:00.0\"}}]}",
		"{\"rules\": [{\"name\": \"rest\", \"effect\": \"allow\", \"device\": {\"address\": \"0000:*\"}}]}",
	};
	struct device first = device_of("0000:01:00.0", 1, ""), second = device_of("0000:01:00.1", 1, "");
	struct device other = device_of("0000:02:00.0", 1, ""), far = device_of("0001:02:00.0", 1, "");
	struct subject alice = subject_of(1000), bob = subject_of(1001);
	size_t warnings;
	struct policy *policy = parse_files(texts, 2, &warnings);

	assert_string_equal(policy_rule_for(policy, NULL, &alice, &first)->name, "one");
	assert_string_equal(policy_rule_for(policy, NULL, &alice, &second)->name, "rest");
	assert_string_equal(policy_rule_for(policy, NULL, &bob, &first)->name, "bob not");
	assert_string_equal(policy_rule_for(policy, NULL, &bob, &other)->name, "rest");
	assert_null(policy_rule_for(policy, NULL, &alice, &far));
	assert_string_equal(policy->rule[2].file, "20.json");
	assert_string_equal(policy->file[1], "20.json");
	policy_free(policy);
}

static void test_names_literally(void **state)
{
	char *items[] = { "0000:01:*", "0000:02:00.0", "[a]" };
	struct text_list list = { .item = items, .count = COUNT(items) };

	assert_true(text_list_names(&list, "0000:02:00.0"));
	assert_false(text_list_names(&list, "0000:01:00.0"));
	assert_false(text_list_names(&list, "0000:01:*"));
	assert_false(text_list_names(&list, "[a]"));
}

static uint64_t digest_of(const char *text)
{
	struct policy *policy = policy_of(text);
	uint64_t digest = policy->digest;

	policy_free(policy);
	return digest;
}

/* The same policy written otherwise has the same digest; each thing that decides changes it. */
static void test_digest(void **state)
{
	static const char base[] =
		"{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\", \"subject\": {\"user\": \"alice\"},"
		" \"device\": {\"address\": [\"0000:01:00.0\"]}}]}";
	static const char *const same[] = {
		"// other words\n{\"never\": [], \"rules\": [\n\n{\"effect\": \"allow\", \"name\": \"r\","
		" \"device\": {\"address\": \"0000:01:00.0\"}, \"subject\": {\"user\": [1000]},"
		" \"modes\": \"attached\"}]}",
	};
	static const char *const changes[][2] = {
		{ "\"r\"", "\"s\"" },
		{ "allow", "deny" },
		{ "\"alice\"", "\"bob\"" },
		{ "\"user\"", "\"group\"" },
		{ "01:00.0\"", "01:00.1\"" },
		{ "\"address\": [\"0000:01:00.0\"]", "\"driver\": [\"e1000\"]" },
		{ "\"address\": [\"0000:01:00.0\"]", "\"name\": [\"0000:01:00.0\"]" },
		{ "\"address\": [\"0000:01:00.0\"]", "\"parent\": [\"0000:01:00.0\"]" },
		{ "\"address\": [\"0000:01:00.0\"]", "\"id\": [\"8086:10ca\"]" },
		{ "\"address\": [\"0000:01:00.0\"]", "\"subsystem\": [\"8086:10ca\"]" },
		{ "\"address\": [\"0000:01:00.0\"]", "\"numa_node\": [0]" },
		{ "\"address\": [\"0000:01:00.0\"]", "\"numa_node\": [1]" },
		{ "]}}]}", "]}, \"lockout\": \"unused\"}]}" },
		{ "]}}]}", "]}, \"modes\": \"open\"}]}" },
		{ "]}}]}", "]}, \"limits\": {\"devices\": 1}}]}" },
		{ "]}}]}", "]}, \"limits\": {\"memlock\": 1}}]}" },
		{ "]}}]}", "]}, \"limits\": {\"devices_total\": 1}}]}" },
		{ "]}}]}", "]}, \"modes\": \"brokered\", \"limits\": {\"ioasids\": 1}}]}" },
		{ "]}}]}", "]}, \"modes\": \"brokered\", \"limits\": {\"bytes\": 1}}]}" },
		{ "]}}]}", "]}, \"modes\": \"brokered\", \"limits\": {\"pasids\": 1}}]}" },
		{ "}}]}", "}}], \"reserve\": [{\"class\": \"01\"}]}" },
		{ "}}]}", "}}], \"user_limits\": {\"devices\": 1}}" },
		{ "]}}]}", "]}, \"reset\": \"try\"}]}" },
		{ "]}}]}", "]}, \"restore\": false}]}" },
		{ "]}}]}", "]}, \"in_use\": \"take\"}]}" },
		{ "]}}]}", "]}, \"revoke\": {\"grace\": \"1s\"}}]}" },
		{ "]}}]}", "]}, \"revoke\": {\"stop\": \"process\"}}]}" },
		{ "]}}]}", "]}, \"revoke\": {\"stop\": \"unit\"}}]}" },
		{ "}}]}", "}}], \"never\": [{\"class\": \"01\"}]}" },
		{ "}}]}", "}}], \"operators\": {\"user\": 5}}" },
		{ "}}]}", "}}], \"pools\": {\"x\": [{\"class\": \"01\"}]}}" },
		{ "]}}]}", "]}, \"lockout\": {\"named\": \"0000:01:00.1\"}}]}" },
		{ "{\"user\": \"alice\"}", "{\"user\": \"alice\", \"group\": \"kvm\"}" },
	};
	uint64_t digest = digest_of(base), seen[COUNT(changes)];

	for (size_t i = 0; i < COUNT(same); i++)
		assert_int_equal(digest_of(same[i]), digest);
	for (size_t i = 0; i < COUNT(changes); i++) {
		const char *found = strstr(base, changes[i][0]), *rest;
		char text[512];

		assert_non_null(found);
		rest = found + strlen(changes[i][0]);
		snprintf(text, sizeof text, "%.*s%s%s", (int)(found - base), base, changes[i][1], rest);
		if (strcmp(changes[i][0], "\"user\"") == 0)
			snprintf(text, sizeof text, "%s",
				 "{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\", \"subject\":"
				 " {\"group\": 1000}, \"device\": {\"address\": [\"0000:01:00.0\"]}}]}");
		seen[i] = digest_of(text);
		assert_int_not_equal(seen[i], digest);
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(seen[i], seen[k]);
	}
}

/* What is installed is right, as everybody reads it first. */
static void test_shipped_files(void **state)
{
	static const char *const names[] = { "default.json", "example.json" };

	for (size_t i = 0; i < COUNT(names); i++) {
		size_t length, warnings;
		char *text = read_whole(POLICY_FOLDER, names[i], &length);
		const char *texts[] = { text };
		struct policy *policy = parse_files(texts, 1, &warnings);

		assert_int_equal(warnings, 0);
		assert_int_equal(policy->rule_count, i == 0 ? 0 : 5);
		policy_free(policy);
		free(text);
	}
}

/* L: what an operator may write fits; ten thousand rules are read and each name is told from all others. */
static void test_ten_thousand_rules(void **state)
{
	char *text = malloc(POLICY_FILE_MAX + 1);
	size_t length = (size_t)sprintf(text, "{\"rules\": [");
	struct device device = device_of("0000:01:00.0", 1, "");
	struct subject alice = subject_of(1000);
	struct policy *policy;

	for (unsigned i = 0; i < 10000; i++)
		length += (size_t)sprintf(text + length,
					  "%s{\"name\":\"%u\",\"effect\":\"deny\",\"device\":{\"id\":\"%04x:%04x\"}}",
					  i ? "," : "", i, i == 9999 ? 0x8086 : i, 0x100e);
	strcpy(text + length, "]}");
	policy = policy_of(text);
	assert_int_equal(policy->rule_count, 10000);
	assert_string_equal(policy_rule_for(policy, NULL, &alice, &device)->name, "9999");
	policy_free(policy);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_files),        cmocka_unit_test(test_report),
		cmocka_unit_test(test_defaults),        cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_memlock_sizes),   cmocka_unit_test(test_grace_times),
		cmocka_unit_test(test_counted_limits),  cmocka_unit_test(test_two_names_one_uid),
		cmocka_unit_test(test_warnings),        cmocka_unit_test(test_device_selectors),
		cmocka_unit_test(test_parents),         cmocka_unit_test(test_subject_selectors),
		cmocka_unit_test(test_large_uid),       cmocka_unit_test(test_order),
		cmocka_unit_test(test_names_literally), cmocka_unit_test(test_digest),
		cmocka_unit_test(test_shipped_files),   cmocka_unit_test(test_ten_thousand_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
