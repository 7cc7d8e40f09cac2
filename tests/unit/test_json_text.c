/* JSON with comments: what is let through, where values are said to stand, and that json-c never refuses more. */
#include "../../policy/util/json_write.h"
#include "../../policy/util/json_text.h"
#include "fixture.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct json_text *parse(const char *text)
{
	struct json_problem problem;
	struct json_text *parsed = NULL;
	int error = json_text_new(text, strlen(text), 16, &parsed, &problem);

	if (error < 0)
		fail_msg("%u:%u: %s in: %s", problem.line, problem.column, problem.message, text);
	return parsed;
}

static void test_accepts(void **state)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		"null",
		"true",
		"false",
		"0",
		"-0",
		"12.5e+3",
		"\"\"",
		" \t\r\n{ } \n",
		"{\"a\": [1, {\"b\": null}], \"c\": \"\\u00e4\\n\\\"\\\\\\/\"}",
		"\"\\ud83d\\ude00\"",
		"// first\n{ /* in */ \"a\" /* before */ : 1 // behind\n}\n// last",
		"{\"a//b\": \"/* no comment */\"}",
		"/**/{}/***/",
		"{\"a\": \"\xc3\xa4\"}",
		"[1,2]//",
		"\"\\\\\"//\"",
	};

	for (size_t i = 0; i < COUNT(texts); i++)
		json_text_free(parse(texts[i]));
	assert_null(json_text_free(NULL));
}

static void test_refuses(void **state)
{
	static const struct {
		const char *text;
		unsigned line, column;
		const char *message;
	} cases[] = {
		{ "", 1, 1, "ends where a value" },
		{ "  // only a comment", 1, 20, "ends where a value" },
		{ "{", 1, 2, "ends where a key" },
		{ "[1", 1, 3, "ends where ',' or ']'" },
		{ "{\"a\"", 1, 5, "ends where ':'" },
		{ "{\"a\": }", 1, 7, "found '}' where a value" },
		{ "{\"a\": 1,}", 1, 9, "the comma before this '}'" },
		{ "[1,\n]", 2, 1, "the comma before this ']'" },
		{ "[,1]", 1, 2, "found ',' where a value" },
		{ "{a: 1}", 1, 2, "found 'a' where a key in double quotes" },
		{ "{'a': 1}", 1, 2, "where a key in double quotes" },
		{ "['a']", 1, 2, "where a value" },
		{ "{\"a\" 1}", 1, 6, "':' after a key" },
		{ "[1 2]", 1, 4, "',' or ']'" },
		{ "{\"a\":1 \"b\":2}", 1, 8, "',' or '}'" },
		{ "{} {}", 1, 4, "unexpected data after the value" },
		{ "{}x", 1, 3, "unexpected data after the value" },
		{ "[]]", 1, 3, "unexpected data after the value" },
		{ "nul", 1, 1, "where a value" },
		{ "NaN", 1, 1, "where a value" },
		{ "[Infinity]", 1, 2, "where a value" },
		{ "-Infinity", 1, 2, "where a digit" },
		{ "True", 1, 1, "where a value" },
		{ "nullx", 1, 5, "unexpected data after the value" },
		{ "01", 1, 1, "must not begin with 0" },
		{ "-01", 1, 1, "must not begin with 0" },
		{ "+1", 1, 1, "where a value" },
		{ ".5", 1, 1, "where a value" },
		{ "1.", 1, 3, "where a digit" },
		{ "1e", 1, 3, "where a digit" },
		{ "0x10", 1, 2, "unexpected data after the value" },
		{ "\"abc", 1, 1, "no closing quote" },
		{ "[\"abc\ndef\"]", 1, 2, "no closing quote" },
		{ "\"a\tb\"", 1, 3, "a tab inside a string" },
		{ "\"\\x41\"", 1, 2, "a backslash must be followed" },
		{ "\"\\u12g4\"", 1, 2, "four hexadecimal digits" },
		{ "\"\\u0000\"", 1, 2, "is not allowed in a string" },
		{ "\"\\ud800\"", 1, 2, "first half of a surrogate" },
		{ "\"\\ud800\\u0041\"", 1, 2, "first half of a surrogate" },
		{ "\"\\udc00\"", 1, 2, "second half of a surrogate" },
		{ "\xef\xbb\xbf{}", 1, 1, "byte order mark" },
		{ "{\n\"a\": \"\xff\"}", 2, 7, "0xff is not valid UTF-8" },
		{ "[\x01]", 1, 2, "control character 0x01" },
		{ "[] // \x1b[2J", 1, 7, "control character 0x1b" },
		{ "[\n/* never closed\n]", 2, 1, "unterminated comment" },
		{ "[] /*/", 1, 4, "unterminated comment" },
		{ "[] # shell", 1, 4, "unexpected data after the value" },
		{ "[] /", 1, 4, "unexpected data after the value" },
		{ "{\"a\": 1,\n \"b\": 2,\n \"a\": 3}", 3, 2, "duplicate key \"a\"" },
		{ "{\"a\": 1, \"\\u0061\": 3}", 1, 10, "duplicate key \"a\"" },
		{ "[[{\"x\": {\"k\": 1, \"k\": {}}}]]", 1, 18, "duplicate key \"k\"" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct json_problem problem = { .line = 99 };
		struct json_text *parsed = (struct json_text *)&problem;

		assert_int_equal(json_text_new(cases[i].text, strlen(cases[i].text), 16, &parsed, &problem), -EINVAL);
		assert_ptr_equal(parsed, &problem);
		if (problem.line != cases[i].line || problem.column != cases[i].column)
			fail_msg("%s: at %u:%u: %s", cases[i].text, problem.line, problem.column, problem.message);
		assert_contains(problem.message, cases[i].message);
	}
}

/* What a message may have differs from a file: no comments, and DEL is a character like others. */
static void test_messages(void **state)
{
	static const struct {
		const char *text;
		unsigned column; /* 0: it is accepted */
		const char *message;
	} cases[] = {
		{ "{}", 0, NULL },
		{ "{\"a\":\"\x7f\"}", 0, NULL },
		{ "{\"\xc3\xa4\":\"\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80\"}", 0, NULL },
		{ "{\"a\":18446744073709551615,\"b\":-9223372036854775808,\"c\":-0,\"d\":1e3}", 0, NULL },
		{ "[]", 1, "expected an object" },
		{ "null", 1, "expected an object" },
		{ "\"{}\"", 1, "expected an object" },
		{ "", 1, "ends where a value" },
		{ "{} // no", 4, "unexpected data after" },
		{ "/* no */{}", 1, "where a value" },
		{ "{\"a\":\"\xc0\x80\"}", 7, "0xc0 is not valid UTF-8" },
		{ "{\"a\":\"\xc1\xbf\"}", 7, "0xc1" },
		{ "{\"a\":\"\xe0\x9f\xbf\"}", 7, "0xe0" },
		{ "{\"a\":\"\xf0\x8f\xbf\xbf\"}", 7, "0xf0" },
		{ "{\"a\":\"\xed\xa0\x80\"}", 7, "0xed" },
		{ "{\"a\":\"\xed\xbf\xbf\"}", 7, "0xed" },
		{ "{\"a\":\"\xf4\x90\x80\x80\"}", 7, "0xf4" },
		{ "{\"a\":\"\xf5\x80\x80\x80\"}", 7, "0xf5" },
		{ "{\"a\":\"\xf8\x88\x80\x80\x80\"}", 7, "0xf8" },
		{ "{\"a\":\"\x80\"}", 7, "0x80" },
		{ "{\"a\":\"\xe2\x82\"}", 7, "0xe2" },
		{ "{\"\xc3\":1}", 3, "0xc3" },
		{ "{\"a\":1}\xff", 8, "0xff" },
		{ "{\"a\":\"x\\u0000\"}", 8, "\\u0000 is not allowed" },
		{ "{\"a\\u0000\":1}", 4, "\\u0000 is not allowed" },
		{ "{\"a\":18446744073709551616}", 6, "exceeds 64 bits" },
		{ "{\"a\":-9223372036854775809}", 6, "exceeds 64 bits" },
		{ "{\"a\":100000000000000000000000}", 6, "exceeds 64 bits" },
		{ "{\"a\":1e999}", 6, "out of range" },
		{ "{\"a\":[-1.5E+400]}", 7, "out of range" },
		{ "{\"a\":1,\"a\":1}", 8, "duplicate key \"a\"" },
		{ "{\"a\":{\"b\":[{\"c\":1,\"d\":2,\"\\u0063\":null}]}}", 25, "duplicate key \"c\"" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct json_problem problem = { .line = 1 };
		struct json_object *object = NULL;
		int error = json_text_read(cases[i].text, strlen(cases[i].text), JSON_MESSAGE, 8, &object, &problem);

		if (cases[i].column == 0 && error != 0)
			fail_msg("%s: %s", cases[i].text, problem.message);
		json_object_put(object);
		if (cases[i].column == 0)
			continue;
		assert_int_equal(error, -EINVAL);
		if (problem.line != 1 || problem.column != cases[i].column)
			fail_msg("%s: at %u:%u: %s", cases[i].text, problem.line, problem.column, problem.message);
		assert_contains(problem.message, cases[i].message);
	}
}

/* A method says more of them than the reader can: which of its parameters it is. With every json-c, they are not
 * others. */
static void test_a_call_leaves_values_to_its_reader(void **state)
{
	static const char value[] = "{\"a\":[\"x\\u0000y\",99999999999999999999,-99999999999999999999,1e999]}",
			  key[] = "{\"a\\u0000\":{}}";
	struct json_problem problem;
	struct json_object *object, *list;

	assert_int_equal(json_text_read(value, strlen(value), JSON_CALL, 8, &object, &problem), 0);
	list = json_object_object_get(object, "a");
	assert_int_equal(json_object_get_string_len(json_object_array_get_idx(list, 0)), 3);
	assert_true(json_object_get_int64(json_object_array_get_idx(list, 1)) == INT64_MAX);
	assert_true(json_object_get_int64(json_object_array_get_idx(list, 2)) == INT64_MIN);
	assert_true(json_object_is_type(json_object_array_get_idx(list, 3), json_type_double));
	json_object_put(object);
	assert_int_equal(json_text_read(key, strlen(key), JSON_CALL, 8, &object, &problem), -EINVAL);
	assert_int_equal(problem.column, 4);
}

static void test_what_is_no_utf8_is_written_escaped(void **state)
{
	static const struct {
		const char *text, *json;
	} cases[] = {
		{ "", "\"\"" },
		{ "a\xc3\xa4\xf0\x9f\x98\x80", "\"a\xc3\xa4\xf0\x9f\x98\x80\"" },
		{ "a\xff\xc3\xa4", "\"a\\\\xff\xc3\xa4\"" },
		{ "\xc0\x80\xed\xa0\x80\xe2\x82", "\"\\\\xc0\\\\x80\\\\xed\\\\xa0\\\\x80\\\\xe2\\\\x82\"" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct json_object *string = json_make_string(cases[i].text);

		assert_string_equal(json_text(string), cases[i].json);
		json_object_put(string);
	}
}

/* SR-46: a NUL byte does not end the text early. */
static void test_nul_byte(void **state)
{
	struct json_problem problem;
	struct json_text *parsed;

	assert_int_equal(json_text_new("{}\0{", 4, 16, &parsed, &problem), -EINVAL);
	assert_contains(problem.message, "control character 0x00");
	assert_int_equal(problem.column, 3);
	assert_int_equal(json_text_new(NULL, 0, 16, &parsed, &problem), -EINVAL);
}

static void test_depth(void **state)
{
	struct json_problem problem;
	struct json_text *parsed;
	char text[64];

	for (size_t depth = 1; depth <= 20; depth++) {
		memset(text, '[', depth);
		text[depth] = '1';
		memset(text + depth + 1, ']', depth);
		if (depth <= 16) {
			assert_int_equal(json_text_new(text, 2 * depth + 1, 16, &parsed, &problem), 0);
			json_text_free(parsed);
		} else {
			assert_int_equal(json_text_new(text, 2 * depth + 1, 16, &parsed, &problem), -EINVAL);
			assert_int_equal(problem.column, 17);
			assert_contains(problem.message, "deeper than 16");
		}
	}
}

static void test_locator(void **state)
{
	static const char text[] = "// a policy\n"
				   "{\n"
				   "\t\"rules\": [\n"
				   "\t\t{ \"name\": \"one\" }, /* two\n"
				   "\t\tlines */ { \"name\": \"two\" },\n"
				   "\t\t{ \"subject\": { \"user\": [ \"alice\",\n"
				   "\t\t\t\t\"bob\" ] }, \"n\\u0061me\": null }\n"
				   "\t]\n"
				   "}\n";
	static const struct {
		const char *path;
		unsigned line, column;
	} places[] = {
		{ "", 2, 1 },
		{ "rules", 3, 11 },
		{ "rules[0]", 4, 3 },
		{ "rules[0].name", 4, 13 },
		{ "rules[1]", 5, 12 },
		{ "rules[2]", 6, 3 },
		{ "rules[2].subject", 6, 16 },
		{ "rules[2].subject.user", 6, 26 },
		{ "rules[2].subject.user[0]", 6, 28 },
		{ "rules[2].subject.user[1]", 7, 5 },
		{ "rules[2].name", 7, 29 },
	};
	static const char *const nowhere[] = {
		"x",
		"rules[3]",
		"rules.name",
		"rules[0][0]",
		"rules[x]",
		"rules[",
		"rules[]",
		"rules[0",
		"rules[99999999999999999999]",
		"rules[2].subject.user[0].x",
		"[0]",
		"rules[-1]",
	};
	struct json_text *parsed = parse(text);
	unsigned line = 77, column = 77;

	for (size_t i = 0; i < COUNT(nowhere); i++)
		assert_false(json_text_locate(parsed, nowhere[i], &line, &column));
	assert_int_equal(line, 77);
	for (size_t i = 0; i < COUNT(places); i++) {
		assert_true(json_text_locate(parsed, places[i].path, &line, &column));
		if (line != places[i].line || column != places[i].column)
			fail_msg("%s is at %u:%u", places[i].path, line, column);
	}
	json_text_free(parsed);
}

/* Walks everything; each value's own path leads to where it says it is. */
static unsigned check_paths(const struct json_value *value)
{
	struct json_children children = json_value_children(value);
	unsigned line, column, found_line, found_column, count = 1;
	struct json_value child;
	char path[128];

	json_value_path(value, path, sizeof path);
	json_value_position(value, false, &line, &column);
	assert_true(json_text_locate(value->text, path, &found_line, &found_column));
	assert_int_equal(line, found_line);
	assert_int_equal(column, found_column);
	while (json_children_next(&children, &child))
		count += check_paths(&child);
	return count;
}

static void test_paths(void **state)
{
	struct json_text *parsed = parse("{\"a\": [1, [2, 3], {}], \"b\": {\"c\": null, \"d\": [\n{\"e\": true}]}}");
	struct json_value root = json_text_root(parsed), member;
	unsigned line, column;

	assert_int_equal(check_paths(&root), 12);
	assert_true(json_value_member(&root, "b", &member));
	json_value_position(&member, true, &line, &column);
	assert_int_equal(column, 24);
	assert_false(json_value_member(&root, "c", &member));
	assert_false(json_value_member(&member, "x", &member));
	json_text_free(parsed);
}

/* Random texts out of JSON's own pieces: what the scan lets through, json-c reads, with the same number of values. */
static void test_agrees_with_json_c(void **state)
{
	static const char *const pieces[] = {
		"{",    "}",    "[", "]",      ",",       ":",  "\"a\"", "\"b\"",     "1",     "-2.5e3",
		"true", "null", " ", "\n",     "\"",      "\\", "0",     "{\"a\":1}", "[1,2]", "\"\\u00e4\"",
		"e",    "-",    ".", "// c\n", "/* c */", "'",  "NaN",   "\xc3\xa4",
	};
	struct dice dice = dice_of(5);
	unsigned accepted = 0;

	for (unsigned round = 0; round < 100000; round++) {
		struct json_problem problem;
		struct json_text *parsed = NULL;
		char text[128] = "";

		for (unsigned i = 1 + dice_roll(&dice, 9); i > 0; i--)
			strcat(text, pieces[dice_roll(&dice, COUNT(pieces))]);
		if (json_text_new(text, strlen(text), 16, &parsed, &problem) == 0) {
			struct json_value root = json_text_root(parsed);

			check_paths(&root);
			json_text_free(parsed);
			accepted++;
			continue;
		}
		if (strncmp(problem.message, "could not be read", 17) == 0)
			fail_msg("only json-c refuses: %s", text);
	}
	assert_true(accepted > 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepts),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_a_call_leaves_values_to_its_reader),
		cmocka_unit_test(test_what_is_no_utf8_is_written_escaped),
		cmocka_unit_test(test_nul_byte),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_locator),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_agrees_with_json_c),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
