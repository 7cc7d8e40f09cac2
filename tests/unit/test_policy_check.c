/* What is doubtful in a policy as a whole, and that it is told where it stands. */
#include "fixture.h"

#include "../../policy/rules/selector_subset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The only warning of a policy without errors; false where there is none. */
static bool doubt(const char *text, struct diagnostic *out)
{
	struct policy_source source = { .path = "test.json", .text = text, .length = strlen(text) };
	struct diagnostics diagnostics = { .item = NULL };
	struct policy *policy = NULL;
	size_t count;

	assert_int_equal(policy_parse(&source, 1, &test_names, &diagnostics, &policy), 0);
	count = diagnostics.count;
	for (size_t i = 1; i < count; i++)
		print_error("%s\n", diagnostics.item[i].message);
	assert_true(count <= 1);
	if (count == 1) {
		*out = diagnostics.item[0];
		assert_string_equal(out->file, "test.json");
		out->file = NULL;
	}
	diagnostics_done(&diagnostics);
	policy_free(policy);
	return count == 1;
}

#define RULE(name, effect, more) "{\"name\": \"" name "\", \"effect\": \"" effect "\", " more "}"
#define ANY "\"device\": {\"kind\": \"pci\"}"

static void test_shadowed(void **state)
{
	static const struct {
		const char *first, *second;
		bool shadowed;
	} cases[] = {
		{ ANY, ANY, true },
		{ ANY, "\"device\": {\"id\": \"8086:*\"}, \"subject\": {\"user\": \"alice\"}", true },
		{ "\"device\": {\"address\": \"*\"}", "\"device\": {\"address\": \"0000:01:00.0\"}", true },
		{ "\"device\": {\"address\": \"0000:0*\"}", "\"device\": {\"address\": \"0000:01:*\"}", true },
		{ "\"device\": {\"address\": \"0000:0[12]:*\"}", "\"device\": {\"address\": \"0000:01:00.0\"}", true },
		{ "\"device\": {\"address\": \"0000:0[12]:*\"}", "\"device\": {\"address\": \"0000:0?:*\"}", false },
		{ "\"device\": {\"address\": \"0000:0[12]:*\"}", "\"device\": {\"address\": \"0000:0[12]:*\"}", true },
		{ "\"device\": {\"address\": [\"0000:02:*\", \"0000:01:*\"]}",
		  "\"device\": {\"address\": [\"0000:01:00.0\", \"0000:02:00.0\"]}", true },
		{ "\"device\": {\"address\": [\"0000:01:*\"]}",
		  "\"device\": {\"address\": [\"0000:01:00.0\", \"0000:02:00.0\"]}", false },
		/* A PCI function is meant by its name as by its address. */
		{ "\"device\": {\"name\": \"0000:01:*\"}", "\"device\": {\"address\": \"0000:01:00.0\"}", true },
		{ "\"device\": {\"address\": \"0000:01:*\"}", "\"device\": {\"name\": \"0000:01:00.0\"}", true },
		{ "\"device\": {\"address\": \"0000:01:*\"}", "\"device\": {\"name\": \"0000:01:0*\"}", false },
		{ "\"device\": {\"name\": \"0000:01:*\"}", "\"device\": {\"address\": \"0000:02:00.0\"}", false },
		{ "\"device\": {\"class\": \"02\"}", "\"device\": {\"class\": \"0200\"}", true },
		{ "\"device\": {\"class\": \"0200\"}", "\"device\": {\"class\": \"02\"}", false },
		{ "\"device\": {\"class\": \"0?00*\"}", "\"device\": {\"class\": \"0200\"}", false },
		{ "\"device\": {\"class\": \"02\"}", "\"device\": {\"class\": \"02??00\"}", true },
		{ "\"device\": {\"class\": \"02\"}", "\"device\": {\"class\": \"02\", \"driver\": \"e1000\"}", true },
		{ "\"device\": {\"class\": \"02\", \"driver\": \"e1000\"}", "\"device\": {\"class\": \"02\"}", false },
		{ "\"device\": {\"driver\": \"*\"}", "\"device\": {\"driver\": \"\"}", true },
		{ "\"device\": {\"numa_node\": [0, 1]}", "\"device\": {\"numa_node\": 1, \"id\": \"1234:11e8\"}",
		  true },
		{ "\"device\": {\"numa_node\": 1}", "\"device\": {\"numa_node\": 11}", false },
		{ "\"device\": {\"pool\": [\"p\", \"q\"]}", "\"device\": {\"pool\": \"p\"}", true },
		{ "\"device\": {\"pool\": \"p\"}", "\"device\": {\"pool\": \"pq\"}", false },
		{ "\"device\": {\"id\": \"8086:*\"}", "\"device\": {\"pool\": \"p\"}", true },
		{ "\"device\": {\"id\": \"8086:10*\"}", "\"device\": {\"pool\": \"p\"}", false },
		{ "\"device\": {\"id\": \"8086:*\"}", "\"device\": {\"pool\": [\"p\", \"q\"]}", false },
		{ ANY ", \"subject\": {\"user\": \"alice\"}", ANY, false },
		{ ANY ", \"subject\": {\"user\": [\"bob\", \"alice\"]}", ANY ", \"subject\": {\"user\": \"alice\"}",
		  true },
		{ ANY ", \"subject\": {\"user\": \"alice\"}",
		  ANY ", \"subject\": {\"user\": \"alice\", \"group\": \"kvm\"}", true },
		{ ANY ", \"subject\": {\"user\": \"alice\", \"group\": \"kvm\"}",
		  ANY ", \"subject\": {\"user\": \"alice\"}", false },
		{ ANY ", \"subject\": {\"user\": 36}", ANY ", \"subject\": {\"group\": 36}", false },
		{ ANY ", \"subject\": {\"unit\": \"vm@*.service\"}", ANY ", \"subject\": {\"unit\": \"vm@1.service\"}",
		  true },
		{ ANY ", \"subject\": {\"unit\": \"vm@1.service\"}", ANY ", \"subject\": {\"unit\": \"vm@*.service\"}",
		  false },
		{ ANY ", \"subject\": {\"unit\": \"*\"}", ANY, false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct diagnostic found;
		char text[1024];
		bool shadowed;

		snprintf(text, sizeof text,
			 "{\"pools\": {\"p\": [{\"id\": \"8086:10ca\"}, {\"id\": \"8086:*\", \"class\": \"02\"}],"
			 " \"q\": [{\"class\": \"03\"}], \"pq\": [{\"class\": \"04\"}]}, \"rules\": [\n"
			 " {\"name\": \"first\", \"effect\": \"allow\", %s},\n"
			 "   {\"name\": \"second\", \"effect\": \"allow\", %s}]}",
			 cases[i].first, cases[i].second);
		shadowed = doubt(text, &found);
		if (shadowed != cases[i].shadowed)
			fail_msg("%s before %s", cases[i].first, cases[i].second);
		if (!shadowed)
			continue;
		assert_int_equal(found.line, 3);
		assert_int_equal(found.column, 4);
		assert_contains(found.message, "\"second\" never decides: the rule \"first\"");
	}
}

static void test_contradictions(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "{\"rules\": [" RULE("r", "allow",
				       "\"device\": {\"class\": \"0106\"}") "],"
									    " \"never\": [{\"class\": \"01\"}]}",
		  "has no effect: never denies what it allows (test.json:1)" },
		{ "{\"rules\": [" RULE("r", "deny",
				       "\"device\": {\"class\": \"0106\"}") "],"
									    " \"never\": [{\"class\": \"01\"}]}",
		  NULL },
		{ "{\"rules\": [" RULE("r", "allow",
				       "\"device\": {\"class\": \"01\"}") "],"
									  " \"never\": [{\"class\": \"0106\"}]}",
		  NULL },
		{ "{\"rules\": [" RULE(
			  "r", "allow",
			  ANY
			  ", \"lockout\": {\"named\": \"0000:01:00.0\"}") "],"
									  " \"never\": [{\"address\": \"0000:01:*\"}]}",
		  "allows locking out 0000:01:00.0, but never" },
		{ "{\"rules\": [" RULE(
			  "r", "allow",
			  ANY
			  ", \"lockout\": {\"named\": \"0000:01:00.0\"}") "], \"never\": [{\"name\": \"0000:01:*\"}]}",
		  "allows locking out 0000:01:00.0, but never" },
		{ "{\"rules\": [" RULE("r", "allow",
				       ANY ", \"lockout\": {\"named\": [\"0000:01:00.0\", \"0000:01:00.0\"]}") "]}",
		  "names the lockout 0000:01:00.0 twice" },
		{ "{\"rules\": [" RULE("r", "allow",
				       ANY ", \"limits\": {\"devices\": 5}") "],"
									     " \"user_limits\": {\"devices\": 4}}",
		  "allows 5 devices per user, but user_limits allows 4" },
		/* Either may lock out the other. */
		{ "{\"rules\": [" RULE("r", "allow",
				       "\"device\": {\"address\": [\"0000:01:00.0\", \"0000:01:00.1\"]},"
				       " \"lockout\": {\"named\": [\"0000:01:00.0\", \"0000:01:00.1\"]}") "]}",
		  NULL },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct diagnostic found;
		bool any = doubt(cases[i].text, &found);

		if (any != (cases[i].message != NULL))
			fail_msg("%s", cases[i].text);
		if (any)
			assert_contains(found.message, cases[i].message);
	}
}

/* Whatever the patterns: what is said to include another one matches all that the other matches. */
static void test_soundness(void **state)
{
	static const char *const patterns[] = { "*",      "0",      "02",      "0200", "020000",     "02*",
						"02??00", "0[12]*", "0[!1]*",  "*00",  "020[0-3]00", "??????",
						"01",     "0106*",  "[0-2]2*", "0*0*0" };
	static const char *const texts[] = { "020000", "020100", "020300", "010600", "010802",
					     "0c0330", "020001", "120000", "000000", "02ff00" };
	struct dice dice = dice_of(7);
	size_t included = 0;
	struct policy *policy = policy_of("{}");

	for (unsigned round = 0; round < 100000; round++) {
		enum selector_list list = dice_roll(&dice, 2) ? SELECTOR_CLASS : SELECTOR_DRIVER;
		char *outer_items[2], *inner_items[2];
		struct device_selector outer = { .list = { { .item = NULL } } }, inner = outer;

		outer.list[list] = (struct text_list){ .item = outer_items, .count = 1 + dice_roll(&dice, 2) };
		inner.list[list] = (struct text_list){ .item = inner_items, .count = 1 + dice_roll(&dice, 2) };
		for (size_t i = 0; i < 2; i++) {
			outer_items[i] = (char *)(uintptr_t)patterns[dice_roll(&dice, COUNT(patterns))];
			inner_items[i] = (char *)(uintptr_t)patterns[dice_roll(&dice, COUNT(patterns))];
		}
		if (!device_selector_includes(policy, &outer, &inner, NULL))
			continue;
		included++;
		for (size_t i = 0; i < COUNT(texts); i++) {
			struct device device = device_of("0000:01:00.0", 1, texts[i]);

			device.pci.class_code = (uint32_t)strtoul(texts[i], NULL, 16);
			if (device_selector_matches(policy, NULL, &inner, &device))
				assert_true(device_selector_matches(policy, NULL, &outer, &device));
		}
	}
	assert_true(included > 1000);
	policy_free(policy);
}

/* The index finds in 3,000 rules what comparing each with each finds. */
static void test_index(void **state)
{
	enum { RULES = 3000 };
	char *text = malloc(POLICY_FILE_MAX);
	struct policy_source source = { .path = "p", .text = text };
	struct diagnostics diagnostics = { .item = NULL };
	struct dice dice = dice_of(11);
	size_t length = (size_t)sprintf(text, "{\"rules\": ["), expected = 0;
	struct policy *policy = NULL;

	for (unsigned i = 0; i < RULES; i++) {
		static const char *const classes[] = { "02", "0200", "03*", "0[23]*", "010802" };

		length +=
			(size_t)sprintf(text + length,
					"%s{\"name\": \"%u\", \"effect\": \"deny\", \"subject\": {\"user\": [%u, %u]},"
					" \"device\": {\"%s\": \"0000:%02x:%s\", \"class\": \"%s\"}}",
					i ? "," : "", i, dice_roll(&dice, 9), 10 + dice_roll(&dice, 9),
					dice_roll(&dice, 4) ? "address" : "name", dice_roll(&dice, 200),
					dice_roll(&dice, 3) ? "00.0" : "*", classes[dice_roll(&dice, COUNT(classes))]);
	}
	strcpy(text + length, "]}");
	source.length = length + 2;
	assert_int_equal(policy_parse(&source, 1, &test_names, &diagnostics, &policy), 0);
	for (size_t i = 0; i < RULES; i++) {
		bool shadowed = false;

		for (size_t k = 0; k < i && !shadowed; k++)
			shadowed =
				subject_selector_includes(&policy->rule[k].subject, &policy->rule[i].subject, NULL) &&
				device_selector_includes(policy, &policy->rule[k].device, &policy->rule[i].device,
							 NULL);
		if (shadowed && expected < diagnostics.count) {
			char name[32];

			snprintf(name, sizeof name, "the rule \"%zu\" never", i);
			assert_contains(diagnostics.item[expected].message, name);
		}
		expected += shadowed;
	}
	assert_true(expected > 10);
	assert_int_equal(diagnostics.count, expected < 100 ? expected : 100);
	diagnostics_done(&diagnostics);
	policy_free(policy);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shadowed),
		cmocka_unit_test(test_contradictions),
		cmocka_unit_test(test_soundness),
		cmocka_unit_test(test_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
