/*
 * Policies at random (Z6, SR-44, SR-46): good ones with bytes changed, cut, doubled and mixed. Whatever comes in, the
 * parser ends, reports an error with a place or accepts, and never accepts what json-c's strict parser refuses.
 */
#include "fixture.h"

#include "../../policy/util/text.h"

#include <dirent.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEEDS_MAX = 200, SEED_LENGTH_MAX = 8192 };

static struct {
	char *text;
	size_t length;
} seeds[SEEDS_MAX];
static size_t seed_count;

static void add_seeds(const char *folder)
{
	DIR *stream = opendir(folder);
	struct dirent *entry;

	assert_non_null(stream);
	while ((entry = readdir(stream))) {
		size_t length = strlen(entry->d_name);

		if (length < 5 || strcmp(entry->d_name + length - 5, ".json") != 0 || seed_count == SEEDS_MAX)
			continue;
		seeds[seed_count].text = read_whole(folder, entry->d_name, &seeds[seed_count].length);
		if (seeds[seed_count].length > SEED_LENGTH_MAX)
			seeds[seed_count].length = SEED_LENGTH_MAX;
		seed_count++;
	}
	closedir(stream);
}

/* Comments as spaces, written apart from the product's own way of doing it. */
static void strip_comments(char *text)
{
	enum { OUTSIDE, QUOTED, LINE, BLOCK } in = OUTSIDE;

	for (; *text; text++) {
		if (in == QUOTED) {
			if (*text == '\\' && text[1])
				text++;
			else if (*text == '"')
				in = OUTSIDE;
		} else if (in == LINE) {
			if (*text == '\n')
				in = OUTSIDE;
			else
				*text = ' ';
		} else if (in == BLOCK) {
			bool end = text[0] == '*' && text[1] == '/';

			if (*text != '\n')
				*text = ' ';
			if (end) {
				*++text = ' ';
				in = OUTSIDE;
			}
		} else if (*text == '"') {
			in = QUOTED;
		} else if (*text == '/' && (text[1] == '/' || text[1] == '*')) {
			in = text[1] == '/' ? LINE : BLOCK;
			text[0] = text[1] = ' ';
			text++;
		}
	}
}

static bool json_c_accepts(const char *text, size_t length)
{
	struct json_tokener *tokener = json_tokener_new_ex(POLICY_DEPTH_MAX + 1);
	struct json_object *object;
	char *copy = strndup(text, length);
	bool accepts;

	assert_non_null(copy);
	strip_comments(copy);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	object = json_tokener_parse_ex(tokener, copy, (int)strlen(copy) + 1);
	accepts = json_tokener_get_error(tokener) == json_tokener_success;
	json_object_put(object);
	json_tokener_free(tokener);
	free(copy);
	return accepts && strlen(text) >= length;
}

static size_t mutate(struct dice *dice, char *text, size_t length)
{
	static const char *const pieces[] = {
		"{",         "}",     "[",
		"]",         ",",     ":",
		"\"",        "\\",    "//",
		"/*",        "*/",    "null",
		"1e999",     "-1",    "18446744073709551616",
		"\\u0000",   "\xff",  "\xef\xbb\xbf",
		"\n",        "true",  "\"name\"",
		"\"rules\"", "*",     "[a-",
		"unlimited", "9999T",
	};
	const char *piece;
	size_t at = dice_roll(dice, (uint32_t)length + 1), many;

	switch (dice_roll(dice, 6)) {
	case 0: /* a byte is another */
		if (at < length)
			text[at] = (char)dice_roll(dice, 256);
		return length;
	case 1: /* some bytes are gone */
		many = dice_roll(dice, 20);
		many = many > length - at ? length - at : many;
		memmove(text + at, text + at + many, length - at - many);
		return length - many;
	case 2: /* cut off */
		return at;
	case 3: /* a part is there twice */
		many = dice_roll(dice, 60);
		many = many > length - at ? length - at : many;
		memmove(text + at + many, text + at, length - at);
		return length + many;
	case 4: /* a part of another seed stands there */
		piece = seeds[dice_roll(dice, (uint32_t)seed_count)].text;
		many = strnlen(piece, 40);
		break;
	default:
		piece = pieces[dice_roll(dice, COUNT(pieces))];
		many = strlen(piece);
		break;
	}
	memmove(text + at + many, text + at, length - at);
	memcpy(text + at, piece, many);
	return length + many;
}

/* True if it is accepted. */
static bool parse(const char *text, size_t length)
{
	struct policy_source source = { .path = "fuzz.json", .text = text, .length = length };
	struct diagnostics diagnostics = { .item = NULL };
	struct policy *policy = NULL;
	int error = policy_parse(&source, 1, &test_names, &diagnostics, &policy);

	assert_true(error == 0 || error == -EINVAL);
	assert_int_equal(error == 0, policy != NULL);
	assert_int_equal(error == 0, diagnostics.errors == 0);
	for (size_t i = 0; i < diagnostics.count; i++)
		assert_true(text_is_printable(diagnostics.item[i].message, sizeof diagnostics.item[i].message));
	if (policy) {
		struct device device = device_of("0000:01:00.0", 1, "e1000");
		struct subject alice = subject_of(1000);

		policy_rule_for(policy, NULL, &alice, &device);
		policy_never(policy, NULL, &device);
	}
	policy_free(policy);
	diagnostics_done(&diagnostics);
	return error == 0;
}

static void test_mutations(void **state)
{
	struct dice dice = dice_of(20000);
	char *text = malloc(SEED_LENGTH_MAX + 8 * 64 + 1);
	unsigned accepted = 0;

	for (unsigned round = 0; round < 20000; round++) {
		size_t seed = dice_roll(&dice, (uint32_t)seed_count), length = seeds[seed].length;

		memcpy(text, seeds[seed].text, length);
		for (unsigned i = 1 + dice_roll(&dice, 4); i > 0; i--)
			length = mutate(&dice, text, length);
		text[length] = '\0';
		if (!parse(text, length))
			continue;
		accepted++;
		if (!json_c_accepts(text, length))
			fail_msg("json-c refuses: %s", text);
	}
	/* Many survive, or only the first error of each would be looked at. */
	assert_true(accepted > 100);
	free(text);
}

/* Bytes that never were a policy. */
static void test_noise(void **state)
{
	struct dice dice = dice_of(7);
	char text[256];

	for (unsigned round = 0; round < 5000; round++) {
		size_t length = dice_roll(&dice, sizeof text);

		for (size_t i = 0; i < length; i++)
			text[i] = (char)(dice_roll(&dice, 2) ? dice_roll(&dice, 256)
							     : (uint32_t) "{}[]\",:/* \n"[dice_roll(&dice, 11)]);
		parse(text, length);
	}
}

static int set_up(void **state)
{
	add_seeds(BAD_POLICY_FOLDER);
	/* The good ones several times: more of what comes of them gets past the first key. */
	for (unsigned i = 0; i < 20; i++)
		add_seeds(POLICY_FOLDER);
	return 0;
}

static int tear_down(void **state)
{
	while (seed_count > 0)
		free(seeds[--seed_count].text);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
