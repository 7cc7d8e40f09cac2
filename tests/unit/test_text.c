/* Text in fixed arrays, and globs, which are compared with the C library's where both mean the same. */
#include "../../policy/util/glob.h"
#include "../../policy/util/text.h"
#include "fixture.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

static void test_characters(void **state)
{
	static const struct {
		const char *text;
		size_t length;
		uint32_t character;
	} cases[] = {
		{ "a", 1, 'a' },
		{ "\xc3\xa4", 2, 0xe4 },
		{ "\xe2\x82\xac", 3, 0x20ac },
		{ "\xf0\x9f\x98\x80", 4, 0x1f600 },
		{ "\xc0\x80", 0, 0 }, /* overlong NUL */
		{ "\xc1\xbf", 0, 0 },
		{ "\xe0\x80\x80", 0, 0 },     /* overlong */
		{ "\xed\xa0\x80", 0, 0 },     /* a surrogate */
		{ "\xf4\x90\x80\x80", 0, 0 }, /* above U+10FFFF */
		{ "\xf5\x80\x80\x80", 0, 0 },
		{ "\x80", 0, 0 },
		{ "\xc3", 0, 0 },
		{ "\xe2\x82", 0, 0 },
		{ "", 0, 0 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		uint32_t character = 0;

		assert_int_equal(text_character(cases[i].text, strlen(cases[i].text), &character), cases[i].length);
		assert_int_equal(character, cases[i].character);
	}
}

static void test_printable(void **state)
{
	assert_true(text_is_printable("", 1));
	assert_true(text_is_printable("nvme0n1 > mounted on /", 64));
	assert_true(text_is_printable("Gr\xc3\xb6\xc3\x9fig", 64));
	assert_false(text_is_printable("abc", 3)); /* no end */
	assert_false(text_is_printable("a\nb", 64));
	assert_false(text_is_printable("a\tb", 64));
	assert_false(text_is_printable("a\x1b[31m", 64));
	assert_false(text_is_printable("a\x7f", 64));
	assert_false(text_is_printable("a\xc2\x85", 64));      /* next line */
	assert_false(text_is_printable("a\xe2\x80\xaex", 64)); /* right-to-left override */
	assert_false(text_is_printable("a\xff", 64));
}

/* S9: whatever comes in, what goes out is printable, ends within its array and keeps what was legible. */
static void test_escape(void **state)
{
	char out[32];

	assert_string_equal(text_escape(out, sizeof out, "a\nb", 3), "a\\x0ab");
	assert_string_equal(text_escape(out, sizeof out, "\xc3\xa4\xff", 3), "\xc3\xa4\\xff");
	assert_string_equal(text_escape(out, sizeof out, "\xe2\x80\xae", 3), "\\xe2\\x80\\xae");
	assert_string_equal(text_escape(out, sizeof out, "%s%n", 4), "%s%n");
	assert_string_equal(text_escape(out, sizeof out, "", 0), "");
	assert_string_equal(text_escape(out, 8, "abcdefgh", 8), "abcd...");
	assert_string_equal(text_escape(out, 8, "abcdefg", 7), "abcdefg");
	assert_string_equal(text_escape(out, 8, "abc\xc3\xa4\xc3\xa4x", 8), "abc...");
	assert_string_equal(text_escape(out, 3, "abcdef", 6), "");
}

static void test_escape_any_bytes(void **state)
{
	struct dice dice = dice_of(9);

	for (unsigned round = 0; round < 5000; round++) {
		char in[24], out[40];
		size_t length = dice_roll(&dice, sizeof in), size = 1 + dice_roll(&dice, sizeof out);

		for (size_t i = 0; i < length; i++)
			in[i] = (char)dice_roll(&dice, 256);
		memset(out, 0x7f, sizeof out);
		text_escape(out, size, in, length);
		assert_true(text_is_printable(out, size));
		for (size_t i = size; i < sizeof out; i++)
			assert_int_equal(out[i], 0x7f);
	}
}

static void test_format(void **state)
{
	char out[8];

	assert_string_equal(text_format(out, sizeof out, "%d", 1234567), "1234567");
	assert_string_equal(text_format(out, sizeof out, "%d", 12345678), "1234...");
	assert_string_equal(text_format(out, sizeof out, "abc%s", "\xc3\xa4\xc3\xa4\xc3\xa4"), "abc...");
	assert_string_equal(text_format(out, sizeof out, "ab"), "ab");
	assert_string_equal(text_append(out, sizeof out, "cd"), "abcd");
	assert_string_equal(text_append(out, sizeof out, "efghi"), "abcd...");
	assert_string_equal(text_append(out, sizeof out, "x"), "abcd...");
}

static void test_globs(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} cases[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "a", "", false },
		{ "*", "", true },
		{ "*", "abc", true },
		{ "**", "abc", true },
		{ "a*c", "abbbc", true },
		{ "a*c", "abcb", false },
		{ "a*b*c", "axbxbxc", true },
		{ "*bc", "abcbc", true },
		{ "?", "", false },
		{ "?", "x", true },
		{ "[ab]", "b", true },
		{ "[ab]", "c", false },
		{ "[a-c]", "b", true },
		{ "[!a-c]", "b", false },
		{ "[!a-c]", "d", true },
		{ "[]]", "]", true },
		{ "[]a]", "a", true },
		{ "[a-]", "-", true },
		{ "[-a]", "-", true },
		{ "[a", "a", false },
		{ "[!]", "x", false },
		{ "a\\*", "a\\b", true },
		{ "x\\2d", "x\\2d", true },
		{ "0000:0[12]:*", "0000:02:00.0", true },
		{ "[*]", "*", true },
		{ "[*]", "a", false },
		{ "*[0-9]", "vfio12", true },
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		if (glob_matches(cases[i].pattern, cases[i].text) != cases[i].matches)
			fail_msg("glob '%s', text '%s'", cases[i].pattern, cases[i].text);
}

static void test_glob_faults(void **state)
{
	assert_null(glob_fault(""));
	assert_null(glob_fault("abc*?[a-z][!0-9][]]"));
	assert_non_null(glob_fault("[a"));
	assert_non_null(glob_fault("["));
	assert_non_null(glob_fault("[!]"));
	assert_non_null(glob_fault("a[]"));
	assert_contains(glob_fault("[z-a]"), "backwards");
	assert_false(glob_has_wildcard("0000:01:00.0"));
	assert_false(glob_has_wildcard("a\\x2db]"));
	assert_true(glob_has_wildcard("a*"));
	assert_true(glob_has_wildcard("a?"));
	assert_true(glob_has_wildcard("[a]"));
}

static void test_globs_as_the_c_library(void **state)
{
	static const char pieces[][6] = { "a", "b", "*", "?", "[ab]", "[!a]", "[a-c]", "c" };
	struct dice dice = dice_of(3);
	unsigned matches = 0;

	for (unsigned round = 0; round < 20000; round++) {
		char pattern[64] = "", text[16];
		size_t length = dice_roll(&dice, 8);

		for (unsigned i = dice_roll(&dice, 7); i > 0; i--)
			strcat(pattern, pieces[dice_roll(&dice, COUNT(pieces))]);
		for (size_t i = 0; i < length; i++)
			text[i] = (char)('a' + dice_roll(&dice, 4));
		text[length] = '\0';
		matches += glob_matches(pattern, text);
		if (glob_matches(pattern, text) != (fnmatch(pattern, text, FNM_NOESCAPE) == 0))
			fail_msg("glob '%s', text '%s'", pattern, text);
	}
	assert_in_range(matches, 1000, 19000);
}

/* Many stars are no trap: fnmatch() takes a time that is a power of their number. */
static void test_many_stars(void **state)
{
	char pattern[256] = "", text[256];

	for (unsigned i = 0; i < 60; i++)
		strcat(pattern, "*a");
	strcat(pattern, "b");
	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	assert_false(glob_matches(pattern, text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_characters),  cmocka_unit_test(test_printable),
		cmocka_unit_test(test_escape),      cmocka_unit_test(test_escape_any_bytes),
		cmocka_unit_test(test_format),      cmocka_unit_test(test_globs),
		cmocka_unit_test(test_glob_faults), cmocka_unit_test(test_globs_as_the_c_library),
		cmocka_unit_test(test_many_stars),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
