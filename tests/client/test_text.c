/* What client/escape.c lets through, and what it writes in its place. */
#include "../../client/escape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static char *escaped(const char *text, bool ascii)
{
	char *out = NULL;
	size_t size;
	FILE *stream = open_memstream(&out, &size);

	escape_write(stream, text, ascii);
	fclose(stream);
	return out;
}

static void is_escaped(const char *text, bool ascii, const char *expected)
{
	char *out = escaped(text, ascii);

	assert_string_equal(out, expected);
	free(out);
}

static void test_plain_text_stays(void **state)
{
	is_escaped("", false, "");
	is_escaped("nvme0n1 > mounted on /: 100% \\x1b ~", false, "nvme0n1 > mounted on /: 100% \\x1b ~");
	is_escaped("\u00e4\u7db2\U0001f600", false, "\u00e4\u7db2\U0001f600");
	is_escaped("a\u00e4\u7db2", true, "a\\xc3\\xa4\\xe7\\xb6\\xb2");
}

static void test_S9_what_steers_a_terminal_is_escaped(void **state)
{
	is_escaped("a\nb\tc", false, "a\\nb\\tc");
	is_escaped("\x1b[2J\x07\x7f\r", false, "\\x1b[2J\\x07\\x7f\\x0d");
	is_escaped("\xc2\x85\xc2\x9b", false, "\\xc2\\x85\\xc2\\x9b");
	is_escaped("\u202e\u2066\u200b\u2028\ufeff", false,
		   "\\xe2\\x80\\xae\\xe2\\x81\\xa6\\xe2\\x80\\x8b\\xe2\\x80\\xa8\\xef\\xbb\\xbf");
	is_escaped("\U000e0041", false, "\\xf3\\xa0\\x81\\x81");
}

static void test_what_is_no_utf8_is_escaped_byte_by_byte(void **state)
{
	is_escaped("\x80\xff", false, "\\x80\\xff");
	is_escaped("\xc0\xaf", false, "\\xc0\\xaf");                   /* overlong */
	is_escaped("\xe0\x80\xaf", false, "\\xe0\\x80\\xaf");          /* overlong */
	is_escaped("\xed\xa0\x80", false, "\\xed\\xa0\\x80");          /* surrogate */
	is_escaped("\xf4\x90\x80\x80", false, "\\xf4\\x90\\x80\\x80"); /* above 10FFFF */
	is_escaped("\xe7\xb6", false, "\\xe7\\xb6");                   /* cut */
	is_escaped("\xe7\xb6z", false, "\\xe7\\xb6z");
}

static void test_escaping_twice_changes_nothing(void **state)
{
	unsigned int random = 1;

	for (int round = 0; round < 20000; round++) {
		char text[24];
		char *once, *twice;

		for (size_t i = 0; i + 1 < sizeof(text); i++) {
			random = random * 1103515245u + 12345u;
			text[i] = (char)(random >> 16);
		}
		text[sizeof(text) - 1] = '\0';
		once = escaped(text, round % 2 == 0);
		twice = escaped(once, round % 2 == 0);
		assert_string_equal(once, twice);
		for (const char *byte = once; *byte != '\0'; byte++)
			assert_true((unsigned char)*byte >= ' ' && *byte != 0x7f);
		free(once);
		free(twice);
	}
}

static void test_a_character_has_room(void **state)
{
	const char *text = "\xf3\xa0\x81\x81";
	char out[ESCAPED_MAX];

	assert_int_equal(escape_next(&text, false, out), 0);
	assert_int_equal(strlen(out), ESCAPED_MAX - 1);
	assert_int_equal(*text, '\0');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_text_stays),
		cmocka_unit_test(test_S9_what_steers_a_terminal_is_escaped),
		cmocka_unit_test(test_what_is_no_utf8_is_escaped_byte_by_byte),
		cmocka_unit_test(test_escaping_twice_changes_nothing),
		cmocka_unit_test(test_a_character_has_room),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
