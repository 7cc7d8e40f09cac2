/*
 * Policies that are wrong. Each is a file in policies/ that is named for its error; here stands where the error is
 * reported and how it is told. A policy with an error is refused whole.
 */
#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name; /* of the file, without .json */
	unsigned line, column;
	const char *message; /* a part of it, from its beginning */
} cases[] = {
	{ "revoke-not-an-object", 7, 17, "rules[0].revoke: must be revocation settings in { }, not a" },
	{ "revoke-unknown-key", 7, 19, "rules[0].revoke: unknown key \"signal\"; known here: grace," },
	{ "revoke-stop-unknown", 7, 27, "rules[0].revoke.stop: 'all' is not one of \"nothing\", \"process\"," },
	{ "revoke-grace-number", 7, 28, "rules[0].revoke.grace: must be a string in double quotes, not" },
	{ "revoke-grace-no-unit", 7, 28, "rules[0].revoke.grace: '30' is not a time of at most 24 hours:" },
	{ "revoke-grace-too-long", 7, 28, "rules[0].revoke.grace: '25h' is not a time of at most 24 hours:" },
	{ "revoke-grace-far-out-of-range", 7, 28, "rules[0].revoke.grace: '99999999999999999999999s' is not a time" },
	{ "revoke-grace-odd-unit", 7, 28, "rules[0].revoke.grace: '30 s' is not a time of at most 24 hours:" },
	{ "deny-with-revoke", 7, 7, "rules[0]: a deny rule grants nothing: remove \"revoke\"" },
	{ "numa-node-negative", 4, 33, "rules[0].device.numa_node[0]: is out of range: it must be" },
	{ "numa-node-out-of-range", 4, 33, "rules[0].device.numa_node[0]: is out of range: it must be" },
	{ "numa-node-text", 4, 33, "rules[0].device.numa_node[0]: must be a number, not a text" },
	{ "parent-empty", 4, 29, "rules[0].device.parent: is an empty list, which matches" },
	{ "parent-glob-impossible", 4, 30, "rules[0].device.parent[0]: the glob 'pcie*' matches nothing" },
	{ "parent-short", 4, 30, "rules[0].device.parent[0]: '1c.0' is not a PCI address: write" },
	{ "subsystem-upper-case", 4, 33, "rules[0].device.subsystem[0]: '1AF4:1100' must be written" },
	{ "subsystem-without-colon", 4, 33, "rules[0].device.subsystem[0]: '1af4' is not a vendor:device" },
	{ "limit-bytes-where-attached-too", 4, 19, "rules[0].limits: \"bytes\" cannot be limited: the broker can" },
	{ "devices-total-zero", 4, 36, "rules[0].limits.devices_total: is out of range: it must" },
	{ "devices-total-text", 4, 36, "rules[0].limits.devices_total: must be a number, not a" },
	{ "ioasids-zero", 4, 30, "rules[0].limits.ioasids: is out of range: it must be from" },
	{ "pasids-out-of-range", 4, 29, "rules[0].limits.pasids: is out of range: it must be from" },
	{ "user-limits-unknown-key", 2, 20, "user_limits: unknown key \"memlock\"; known here: devices" },
	{ "user-limits-not-an-object", 2, 18, "user_limits: must be limits in { }, not a number" },
	{ "user-limits-zero", 2, 31, "user_limits.devices: is out of range: it must be from 1" },
	{ "reserve-by-driver", 3, 5, "reserve: udev cannot match a driver: no driver is bound yet" },
	{ "reserve-parent-glob", 3, 5, "reserve: udev cannot match 0000:00:1c.*: a parent must" },
	{ "reserve-pool-by-driver", 3, 16, "reserve: udev cannot match a driver: no driver is bound yet" },
	{ "reserve-nested-set", 3, 5, "reserve: udev cannot match 0000:0[[:]*: write it without" },
	{ "reserve-not-a-list", 2, 14, "reserve: must be a list of device selectors in [ ], not" },
	{ "lockout-names-itself", 3, 5, "the rule \"r\" names 0000:01:00.0 as its lockout, which is" },
	{ "schema-not-a-text", 2, 14, "$schema: must be a string in double quotes, not a number" },
	{ "address-glob-backwards", 4, 31, "rules[0].device.address[0]: the glob '0000:0[3-1]:*' has a" },
	{ "address-glob-impossible", 4, 31, "rules[0].device.address[0]: the glob 'pci-0000:01:*' matches" },
	{ "address-glob-open", 4, 31, "rules[0].device.address[0]: the glob '0000:0[12:*' has a '['" },
	{ "address-glob-upper-case", 4, 31, "rules[0].device.address[0]: a PCI address is compared in" },
	{ "address-nonsense", 4, 31, "rules[0].device.address[0]: 'eth0' is not a PCI address: write" },
	{ "address-short", 4, 31, "rules[0].device.address[0]: '01:00.0' must be written in" },
	{ "address-too-long", 4, 31, "rules[0].device.address[0]: is 128 bytes long: at most 127" },
	{ "address-upper-case", 4, 31, "rules[0].device.address[0]: '0000:0A:00.0' must be written" },
	{ "bad-escape", 2, 16, "a backslash must be followed by one of \"\\/bfnrtu here" },
	{ "binary", 1, 1, "has the control character 0x00, which is not allowed" },
	{ "byte-order-mark", 1, 1, "begins with a byte order mark: save it as UTF-8 without one" },
	{ "class-odd", 4, 29, "rules[0].device.class[0]: '020' is not a class code: write 2, 4" },
	{ "class-upper-case", 4, 29, "rules[0].device.class[0]: '0C03' must be written in lower" },
	{ "class-word", 4, 29, "rules[0].device.class[0]: 'network' is not a class code: write" },
	{ "comment-only", 2, 1, "the text ends where a value (a string in double quotes, a number," },
	{ "comment-unterminated", 2, 3, "unterminated comment: write */ after it" },
	{ "deep-nesting", 3, 16, "nests deeper than 16 levels" },
	{ "deny-with-in-use", 7, 7, "rules[0]: a deny rule grants nothing: remove \"in_use\"" },
	{ "deny-with-limits", 7, 7, "rules[0]: a deny rule grants nothing: remove \"limits\"" },
	{ "deny-with-lockout", 7, 7, "rules[0]: a deny rule grants nothing: remove \"lockout\"" },
	{ "deny-with-modes", 7, 7, "rules[0]: a deny rule grants nothing: remove \"modes\"" },
	{ "deny-with-reset", 7, 7, "rules[0]: a deny rule grants nothing: remove \"reset\"" },
	{ "deny-with-restore", 7, 7, "rules[0]: a deny rule grants nothing: remove \"restore\"" },
	{ "device-empty", 4, 17, "rules[0].device: names no devices: give a name, address, id, class," },
	{ "device-list-empty", 4, 30, "rules[0].device.address: is an empty list, which matches" },
	{ "device-not-an-object", 4, 17, "rules[0].device: must be a device selector in { }, not a" },
	{ "device-number", 4, 26, "rules[0].device.id[0]: must be a string in double quotes, not" },
	{ "device-unknown-key", 4, 19, "rules[0].device: unknown key \"vendor\"; known here: name," },
	{ "devices-far-out-of-range", 7, 30, "rules[0].limits.devices: is out of range: it must be from 1" },
	{ "devices-fraction", 7, 30, "rules[0].limits.devices: must be a whole number, without a" },
	{ "devices-negative", 7, 30, "rules[0].limits.devices: is out of range: it must be from 1" },
	{ "devices-out-of-range", 7, 30, "rules[0].limits.devices: is out of range: it must be from 1" },
	{ "devices-text", 7, 30, "rules[0].limits.devices: must be a number, not a text" },
	{ "devices-zero", 7, 30, "rules[0].limits.devices: is out of range: it must be from 1" },
	{ "driver-glob-impossible", 4, 30, "rules[0].device.driver[0]: the glob 'e1000/*' matches" },
	{ "driver-glob-umlaut", 4, 30, "rules[0].device.driver[0]: the glob 'träge*' matches nothing:" },
	{ "driver-path", 4, 30, "rules[0].device.driver[0]: '../e1000' is not a driver name" },
	{ "duplicate-key-escaped", 3, 3, "duplicate key \"rules\": keep one" },
	{ "duplicate-key-in-rule", 4, 7, "duplicate key \"effect\": keep one" },
	{ "duplicate-key", 4, 3, "duplicate key \"rules\": keep one" },
	{ "empty-file", 0, 0, "is empty: write {} for a policy without rules, or remove the" },
	{ "group-unknown", 4, 29, "rules[0].subject.group: there is no group 'wheel' on this" },
	{ "id-prefix", 4, 26, "rules[0].device.id[0]: '0x8086:0x10ca' is not a vendor:device" },
	{ "id-upper-case", 4, 26, "rules[0].device.id[0]: '8086:10CA' must be written in lower" },
	{ "id-without-colon", 4, 26, "rules[0].device.id[0]: '808610ca' is not a vendor:device id:" },
	{ "kind-unknown", 4, 27, "rules[0].device.kind: the kind 'usb' is not supported by this" },
	{ "latin-1", 2, 7, "the byte 0xfc is not valid UTF-8: save the" },
	{ "limit-bytes", 7, 19, "rules[0].limits: \"bytes\" cannot be limited: the broker can" },
	{ "limit-ioasids", 7, 19, "rules[0].limits: \"ioasids\" cannot be limited: the broker can" },
	{ "limit-pasids", 7, 19, "rules[0].limits: \"pasids\" cannot be limited: the broker can" },
	{ "limit-unknown", 7, 19, "rules[0].limits: unknown key \"cards\"; known here: devices," },
	{ "limits-not-an-object", 7, 17, "rules[0].limits: must be limits in { }, not a number" },
	{ "lockout-empty", 7, 29, "rules[0].lockout.named: is an empty list, which matches" },
	{ "lockout-glob", 7, 30, "rules[0].lockout.named[0]: '0000:01:*' is a glob: name the members" },
	{ "lockout-names-nothing", 7, 18, "rules[0].lockout: names no members: write {\"named\":" },
	{ "lockout-short-address", 7, 30, "rules[0].lockout.named[0]: '01:00.1' must be written in" },
	{ "lockout-unknown-key", 7, 20, "rules[0].lockout: unknown key \"name\"; known here: named" },
	{ "lone-surrogate", 2, 16, "this is the first half of a surrogate pair without the second" },
	{ "memlock-not-a-size", 7, 30, "rules[0].limits.memlock: 'much' is not a size: write bytes, or a" },
	{ "memlock-out-of-range", 7, 30, "rules[0].limits.memlock: is out of range: it must be from 1" },
	{ "memlock-suffix", 7, 30, "rules[0].limits.memlock: '64MB' is not a size: write bytes, or a" },
	{ "memlock-text-out-of-range", 7, 30, "rules[0].limits.memlock: '16777216T' is not a size: write bytes, or" },
	{ "memlock-true", 7, 30, "rules[0].limits.memlock: must be a string in double quotes," },
	{ "memlock-zero", 7, 30, "rules[0].limits.memlock: is out of range: it must be from 1" },
	{ "missing-colon", 2, 11, "found '[' where ':' after a key is expected" },
	{ "missing-comma", 3, 3, "found '\"' where ',' or '}' is expected" },
	{ "modes-empty", 7, 16, "rules[0].modes: is an empty list, which matches nothing: add an" },
	{ "modes-number", 7, 17, "rules[0].modes[0]: must be a string in double quotes, not a" },
	{ "name-glob-odd", 4, 28, "rules[0].device.name[0]: the glob 'pci/*' matches nothing: no" },
	{ "name-nonsense", 4, 28, "rules[0].device.name[0]: 'eth0' is not a device name: write one" },
	{ "name-short", 4, 28, "rules[0].device.name[0]: '01:00.0' must be written in" },
	{ "never-not-a-list", 2, 12, "never: must be a list of device selectors in [ ], not an" },
	{ "never-unknown-key", 3, 23, "never[0]: unknown key \"reason\"; known here: name, address," },
	{ "never-why-not-a-text", 3, 30, "never[0].why: must be a string in double quotes, not a number" },
	{ "never-why-too-long", 4, 14, "never[0].why: is 256 bytes long: at most 255 are supported" },
	{ "never-without-device", 3, 5, "never[0]: names no devices: give a name, address, id, class," },
	{ "not-a-number", 2, 12, "found 'N' where a value (a string in double quotes, a number," },
	{ "not-an-object", 1, 1, "must be a policy in { }, not a list" },
	{ "nul-byte", 2, 13, "has the control character 0x00, which is not allowed" },
	{ "operators-empty", 2, 16, "operators: names no subjects: give a user, group or unit, or omit it" },
	{ "operators-unknown-user", 2, 27, "operators.user[0]: there is no user 'mallory' on this" },
	{ "pool-empty", 3, 10, "pools.a: is an empty list: a pool needs devices" },
	{ "pool-name-unprintable", 3, 5, "pools: the name of a pool must have 1 to 127 bytes, all printable" },
	{ "pool-not-a-list", 3, 10, "pools.a: must be a list of device selectors in [ ], not" },
	{ "pool-of-pools", 4, 14, "pools.b[0]: a pool cannot contain pools: name its devices" },
	{ "pool-unknown", 4, 28, "rules[0].device.pool[0]: there is no pool \"vfs\": define it in" },
	{ "pool-without-name", 3, 5, "pools: the name of a pool must have 1 to 127 bytes, all printable" },
	{ "pools-not-an-object", 2, 12, "pools: must be pools by their names in { }, not a list" },
	{ "reserve-unknown-pool", 2, 27, "reserve[0].pool[0]: there is no pool \"vfs\": define it in" },
	{ "restore-text", 7, 18, "rules[0].restore: must be true or false, not a text" },
	{ "rule-name-direction-override", 3, 15, "rules[0].name: has an unprintable character: remove it" },
	{ "rule-name-empty", 3, 15, "rules[0].name: is empty: refusals and records quote a rule by" },
	{ "rule-name-not-a-text", 3, 15, "rules[0].name: must be a string in double quotes, not a number" },
	{ "rule-name-too-long", 3, 15, "rules[0].name: is 128 bytes long: at most 127 are supported" },
	{ "rule-name-twice", 5, 15, "rules[2].name: the rule at rule-name-twice.json:3 already has" },
	{ "rule-name-unprintable", 3, 15, "rules[0].name: has an unprintable character: remove it" },
	{ "rule-not-an-object", 3, 5, "rules[0]: must be a rule in { }, not a text" },
	{ "rule-without-device", 3, 5, "rules[0]: missing \"device\": every rule needs one" },
	{ "rule-without-effect", 3, 5, "rules[0]: missing \"effect\": every rule needs one" },
	{ "rule-without-name", 3, 5, "rules[0]: missing \"name\": every rule needs one" },
	{ "rules-not-a-list", 2, 12, "rules: must be a list of rules in [ ], not an object" },
	{ "shell-comment", 2, 3, "found '#' where a key in double quotes is expected" },
	{ "single-quotes", 2, 3, "found ''' where a key in double quotes is expected" },
	{ "subject-empty", 4, 18, "rules[0].subject: names no subjects: give a user, group or unit," },
	{ "subject-not-an-object", 4, 18, "rules[0].subject: must be a subject selector in { }, not" },
	{ "subject-unknown-key", 4, 20, "rules[0].subject: unknown key \"users\"; known here: user," },
	{ "text-unterminated", 3, 15, "this string has no closing quote on its line" },
	{ "trailing-comma", 4, 1, "remove the comma before this '}'" },
	{ "trailing-data", 2, 1, "unexpected data after the value: the file must hold one" },
	{ "truncated", 4, 1, "the text ends where a key in double quotes is expected" },
	{ "unit-empty-name", 4, 28, "rules[0].subject.unit: is empty: no unit has this name" },
	{ "unit-glob-open", 4, 28, "rules[0].subject.unit: the glob 'vm[0-9.service' has a '['" },
	{ "unknown-effect", 3, 30, "rules[0].effect: 'permit' is not one of \"allow\", \"deny\"" },
	{ "unknown-in-use", 7, 17, "rules[0].in_use: 'steal' is not one of \"refuse\", \"take\"" },
	{ "unknown-lockout", 7, 18, "rules[0].lockout: 'all' is not one of \"none\", \"unused\"," },
	{ "unknown-mode", 7, 29, "rules[0].modes[1]: 'passthrough' is not one of \"attached\"," },
	{ "unknown-reset", 7, 16, "rules[0].reset: 'always' is not one of \"require\", \"try\", \"skip\"" },
	{ "unknown-rule-key", 4, 7, "rules[0]: unknown key \"lockouts\"; known here: name, effect," },
	{ "unknown-top-key", 3, 3, "unknown key \"rulez\"; known here: rules, pools, reserve," },
	{ "unquoted-key", 2, 3, "found 'r' where a key in double quotes is expected" },
	{ "user-empty-name", 4, 29, "rules[0].subject.user[0]: there is no user '' on this" },
	{ "user-list-empty", 4, 28, "rules[0].subject.user: is an empty list, which matches" },
	{ "user-negative", 4, 29, "rules[0].subject.user[0]: is out of range: it must be from" },
	{ "user-nested-list", 4, 29, "rules[0].subject.user[0]: must be a string in double quotes," },
	{ "user-null", 4, 28, "rules[0].subject.user: must be a string in double quotes, not" },
	{ "user-out-of-range", 4, 29, "rules[0].subject.user[0]: is out of range: it must be from" },
	{ "user-text-out-of-range", 4, 29, "rules[0].subject.user[0]: '99999999999999999999' is out of" },
	{ "user-unknown", 4, 38, "rules[0].subject.user[1]: there is no user 'mallory' on this" },
	{ "utf-16", 1, 1, "the byte 0xff is not valid UTF-8: save the" },
};

static struct diagnostics check(const char *path, const char *text, size_t length)
{
	struct policy_source source = { .path = path, .text = text, .length = length };
	struct diagnostics diagnostics = { .item = NULL };
	struct policy *policy = (struct policy *)&source;

	assert_int_equal(policy_parse(&source, 1, &test_names, &diagnostics, &policy), -EINVAL);
	assert_ptr_equal(policy, &source); /* untouched */
	assert_true(diagnostics.errors > 0);
	assert_true(diagnostics.count >= diagnostics.errors);
	return diagnostics;
}

static void test_files(void **state)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct diagnostics diagnostics;
		const struct diagnostic *first;
		char name[256], *text;
		size_t length;

		snprintf(name, sizeof name, "%s.json", cases[i].name);
		text = read_whole(BAD_POLICY_FOLDER, name, &length);
		diagnostics = check(name, text, length);
		first = &diagnostics.item[0];
		assert_true(first->error);
		assert_string_equal(first->file, name);
		if (first->line != cases[i].line || first->column != cases[i].column ||
		    strncmp(first->message, cases[i].message, strlen(cases[i].message)) != 0)
			fail_msg("%s:%u:%u: %s", name, first->line, first->column, first->message);
		/* One mistake, one error: what follows from it is not told again. */
		if (diagnostics.errors != 1)
			fail_msg("%s: %zu errors", name, diagnostics.errors);
		diagnostics_done(&diagnostics);
		free(text);
	}
}

/* No file is there that nothing expects to be wrong. */
static void test_all_are_listed(void **state)
{
	DIR *folder = opendir(BAD_POLICY_FOLDER);
	struct dirent *entry;
	size_t files = 0;

	assert_non_null(folder);
	while ((entry = readdir(folder))) {
		bool listed = false;

		if (entry->d_name[0] == '.')
			continue;
		for (size_t i = 0; i < COUNT(cases); i++)
			listed = listed || (strncmp(entry->d_name, cases[i].name, strlen(cases[i].name)) == 0 &&
					    strcmp(entry->d_name + strlen(cases[i].name), ".json") == 0);
		if (!listed)
			fail_msg("%s is in no row", entry->d_name);
		files++;
	}
	closedir(folder);
	assert_int_equal(files, COUNT(cases));
}

static void test_too_large(void **state)
{
	char *text = malloc(POLICY_FILE_MAX + 2);
	struct diagnostics diagnostics = { .item = NULL };
	struct policy_source source = { .path = "large.json", .text = text, .length = POLICY_FILE_MAX };
	struct policy *policy = NULL;

	/* One byte more than what is read, and then all that is. */
	memset(text, ' ', POLICY_FILE_MAX + 1);
	memcpy(text, "{}", 2);
	assert_int_equal(policy_parse(&source, 1, &test_names, &diagnostics, &policy), 0);
	policy_free(policy);
	diagnostics = check("large.json", text, POLICY_FILE_MAX + 1);
	assert_contains(diagnostics.item[0].message, "larger than 1048576 bytes");
	assert_int_equal(diagnostics.item[0].line, 0);
	diagnostics_done(&diagnostics);
	free(text);
}

/* What can only be wrong between files. */
static void test_several_files(void **state)
{
	static const struct {
		const char *first, *second;
		unsigned line;
		const char *message;
	} between[] = {
		{ "{\"rules\": [{\"name\": \"r\", \"effect\": \"deny\", \"device\": {\"kind\": \"pci\"}}]}",
		  "{\"rules\": [\n\n{\"name\": \"r\", \"effect\": \"deny\", \"device\": {\"kind\": \"pci\"}}]}", 3,
		  "the rule at 10.json:1 already has the name \"r\"" },
		{ "{\"pools\": {\"p\": [{\"kind\": \"pci\"}]}}", "{\"pools\":\n{\"p\": [{\"kind\": \"pci\"}]}}", 2,
		  "is already defined in another file" },
		{ "{\"operators\": {\"user\": \"alice\"}}", "\n\n\n{\"operators\": {\"user\": \"bob\"}}", 4,
		  "operators are already named in 10.json:1" },
		{ "{\"user_limits\": {\"devices\": 1}}", "\n{\"user_limits\": {\"devices\": 2}}", 2,
		  "user_limits is already set in 10.json:1" },
	};

	for (size_t i = 0; i < COUNT(between); i++) {
		struct policy_source source[] = {
			{ .path = "10.json", .text = between[i].first, .length = strlen(between[i].first) },
			{ .path = "20.json", .text = between[i].second, .length = strlen(between[i].second) },
		};
		struct diagnostics diagnostics = { .item = NULL };
		struct policy *policy = NULL;

		assert_int_equal(policy_parse(source, 2, &test_names, &diagnostics, &policy), -EINVAL);
		assert_null(policy);
		assert_int_equal(diagnostics.count, 1);
		assert_string_equal(diagnostics.item[0].file, "20.json");
		assert_int_equal(diagnostics.item[0].line, between[i].line);
		assert_contains(diagnostics.item[0].message, between[i].message);
		diagnostics_done(&diagnostics);
	}
}

/* All errors are told at once, of all files; a file that is no JSON does not make others' pools unknown. */
static void test_all_errors(void **state)
{
	static const char first[] =
		"{\"rules\": [{\"name\": \"r\", \"effect\": \"x\", \"reset\": \"y\", \"device\": {}}]}";
	static const char second[] = "{\"never\": [{\"id\": \"z\"}], \"a\": 1}";
	struct policy_source source[] = {
		{ .path = "10.json", .text = first, .length = sizeof first - 1 },
		{ .path = "20.json", .text = second, .length = sizeof second - 1 },
		{ .path = "30.json", .text = "{", .length = 1 },
	};
	struct diagnostics diagnostics = { .item = NULL };
	struct policy *policy = NULL;

	assert_int_equal(policy_parse(source, 2, &test_names, &diagnostics, &policy), -EINVAL);
	assert_int_equal(diagnostics.errors, 5);
	diagnostics_done(&diagnostics);
	assert_int_equal(policy_parse(source, 3, &test_names, &diagnostics, &policy), -EINVAL);
	assert_int_equal(diagnostics.errors, 1);
	assert_string_equal(diagnostics.item[0].file, "30.json");
	diagnostics_done(&diagnostics);
}

/* Ten thousand errors are counted, and as many are kept as somebody reads. */
static void test_endless_errors(void **state)
{
	char *text = malloc(POLICY_FILE_MAX);
	size_t length = (size_t)sprintf(text, "{\"rules\": [0");
	struct diagnostics diagnostics;

	for (unsigned i = 1; i < 10000; i++)
		length += (size_t)sprintf(text + length, ",%u", i);
	length += (size_t)sprintf(text + length, "]}");
	{
		struct policy_source source = { .path = "endless.json", .text = text, .length = length };
		struct policy *policy = NULL;

		diagnostics = (struct diagnostics){ .item = NULL };
		assert_int_equal(policy_parse(&source, 1, &test_names, &diagnostics, &policy), -EINVAL);
	}
	assert_int_equal(diagnostics.errors, 10000);
	assert_int_equal(diagnostics.count, 100);
	diagnostics_done(&diagnostics);
	free(text);
}

/* Where no names can be looked up, numbers still are. */
static void test_no_resolver(void **state)
{
	static const char by_name[] = "{\"operators\": {\"user\": \"alice\"}}",
			  by_number[] = "{\"operators\": {\"user\": 7}}";
	struct policy_source source = { .path = "p", .text = by_name, .length = sizeof by_name - 1 };
	struct diagnostics diagnostics = { .item = NULL };
	struct policy *policy = NULL;

	assert_int_equal(policy_parse(&source, 1, NULL, &diagnostics, &policy), -EINVAL);
	assert_contains(diagnostics.item[0].message, "there is no user 'alice'");
	diagnostics_done(&diagnostics);
	source.text = by_number;
	source.length = sizeof by_number - 1;
	assert_int_equal(policy_parse(&source, 1, NULL, &diagnostics, &policy), 0);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),       cmocka_unit_test(test_all_are_listed),
		cmocka_unit_test(test_too_large),   cmocka_unit_test(test_several_files),
		cmocka_unit_test(test_all_errors),  cmocka_unit_test(test_endless_errors),
		cmocka_unit_test(test_no_resolver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
