#include "json_scan.h"

#include "text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct scanner {
	struct json_scan *scan;
	enum json_source source;
	bool in_key;
	size_t at;
	unsigned depth, depth_max;
	struct json_problem *problem;
};

/* Finds where the lines begin. 0 or -ENOMEM. */
static int find_lines(struct json_scan *scan)
{
	size_t count = 1;

	for (size_t i = 0; i < scan->length; i++)
		count += scan->text[i] == '\n';
	scan->line = malloc(count * sizeof *scan->line);
	if (!scan->line)
		return -ENOMEM;
	scan->line[scan->line_count++] = 0;
	for (size_t i = 0; i < scan->length; i++)
		if (scan->text[i] == '\n')
			scan->line[scan->line_count++] = (uint32_t)i + 1;
	return 0;
}

void json_scan_position(const struct json_scan *scan, uint32_t offset, unsigned *line, unsigned *column)
{
	size_t low = 0, high = scan->line_count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (scan->line[middle] <= offset)
			low = middle;
		else
			high = middle;
	}
	*line = (unsigned)low + 1;
	*column = (unsigned)(offset - scan->line[low]) + 1;
}

__attribute__((format(printf, 3, 4))) static int fail(struct scanner *scanner, size_t offset, const char *format, ...)
{
	va_list arguments;

	json_scan_position(scanner->scan, (uint32_t)offset, &scanner->problem->line, &scanner->problem->column);
	va_start(arguments, format);
	text_format_list(scanner->problem->message, sizeof scanner->problem->message, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static char look(const struct scanner *scanner)
{
	return scanner->scan->text[scanner->at];
}

/* "found ..." for what stands where something else was expected. */
static int fail_expected(struct scanner *scanner, const char *expected)
{
	char found[16];

	if (scanner->at >= scanner->scan->length)
		return fail(scanner, scanner->at, "the text ends where %s is expected", expected);
	text_escape(found, sizeof found, scanner->scan->text + scanner->at, 1);
	return fail(scanner, scanner->at, "found '%s' where %s is expected", found, expected);
}

static void skip_space(struct scanner *scanner)
{
	char c = look(scanner);

	while (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
		scanner->at++;
		c = look(scanner);
	}
}

/*
 * The whole text has to be UTF-8 without control characters, comments included. JSON allows DEL, which no person writes
 * into a file on purpose.
 */
static int check_characters(struct scanner *scanner)
{
	const char *text = scanner->scan->text;
	size_t length = scanner->scan->length;
	bool file = scanner->source == JSON_FILE;

	if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		return fail(scanner, 0, "begins with a byte order mark%s",
			    file ? ": save it as UTF-8 without one" : "");
	for (size_t i = 0; i < length;) {
		uint32_t character;
		size_t bytes = text_character(text + i, length - i, &character);

		if (bytes == 0)
			return fail(scanner, i, "the byte 0x%02x is not valid UTF-8%s", (unsigned char)text[i],
				    file ? ": save the file as UTF-8" : "");
		if (character != '\t' && character != '\n' && character != '\r' &&
		    (character < 0x20 || (character == 0x7f && file)))
			return fail(scanner, i, "has the control character 0x%02x, which is not allowed", character);
		i += bytes;
	}
	return 0;
}

/* Behind the text in quotes that begins at offset; the rest is looked at later. */
static size_t skip_quoted(const struct json_scan *scan, size_t offset)
{
	size_t i = offset + 1;

	while (i < scan->length && scan->text[i] != '"' && scan->text[i] != '\n')
		i += scan->text[i] == '\\' && i + 1 < scan->length ? 2 : 1;
	return i < scan->length ? i + 1 : i;
}

static void blank(struct json_scan *scan, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (scan->text[i] != '\n' && scan->text[i] != '\r')
			scan->text[i] = ' ';
}

static int blank_comments(struct scanner *scanner)
{
	struct json_scan *scan = scanner->scan;

	for (size_t i = 0; i < scan->length;) {
		size_t end = i + 2;

		if (scan->text[i] == '"') {
			i = skip_quoted(scan, i);
			continue;
		}
		if (scan->text[i] == '/' && scan->text[i + 1] == '/') {
			while (end < scan->length && scan->text[end] != '\n')
				end++;
		} else if (scan->text[i] == '/' && scan->text[i + 1] == '*') {
			while (end + 1 < scan->length && (scan->text[end] != '*' || scan->text[end + 1] != '/'))
				end++;
			if (end + 1 >= scan->length)
				return fail(scanner, i, "unterminated comment: write */ after it");
			end += 2;
		} else {
			i++;
			continue;
		}
		blank(scan, i, end);
		i = end;
	}
	return 0;
}

/* The number that four hexadecimal digits stand for, or -1. */
static int four_digits(const char *text)
{
	int value = 0;

	for (unsigned i = 0; i < 4; i++) {
		char c = text[i];

		if (c >= '0' && c <= '9')
			value = value * 16 + c - '0';
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			value = value * 16 + c - 'A' + 10;
		else
			return -1;
	}
	return value;
}

static int scan_escape(struct scanner *scanner)
{
	const char *text = scanner->scan->text + scanner->at;
	int unit;

	if (text[1] != 'u') {
		if (text[1] == '\0' || !strchr("\"\\/bfnrt", text[1]))
			return fail(scanner, scanner->at, "a backslash must be followed by one of \"\\/bfnrtu here");
		scanner->at += 2;
		return 0;
	}
	unit = four_digits(text + 2);
	if (unit < 0)
		return fail(scanner, scanner->at, "\\u must be followed by four hexadecimal digits");
	/* json-c cuts keys there. */
	if (unit == 0 && (scanner->in_key || scanner->source != JSON_CALL))
		return fail(scanner, scanner->at, "\\u0000 is not allowed in a string");
	if (unit >= 0xd800 && unit <= 0xdbff) {
		int low = text[6] == '\\' && text[7] == 'u' ? four_digits(text + 8) : -1;

		if (low < 0xdc00 || low > 0xdfff)
			return fail(scanner, scanner->at,
				    "this is the first half of a surrogate pair without the second");
		scanner->at += 12;
		return 0;
	}
	if (unit >= 0xdc00 && unit <= 0xdfff)
		return fail(scanner, scanner->at, "this is the second half of a surrogate pair without the first");
	scanner->at += 6;
	return 0;
}

static int scan_string(struct scanner *scanner)
{
	size_t start = scanner->at++;

	for (;;) {
		char c = look(scanner);

		if (scanner->at >= scanner->scan->length || c == '\n' || c == '\r')
			return fail(scanner, start, "this string has no closing quote on its line");
		if (c == '\t')
			return fail(scanner, scanner->at, "a tab inside a string must be written as \\t");
		if (c == '"') {
			scanner->at++;
			return 0;
		}
		if (c != '\\') {
			scanner->at++;
		} else {
			int error = scan_escape(scanner);

			if (error < 0)
				return error;
		}
	}
}

static size_t skip_decimals(struct scanner *scanner)
{
	size_t start = scanner->at;

	while (look(scanner) >= '0' && look(scanner) <= '9')
		scanner->at++;
	return scanner->at - start;
}

/* True if a whole number, of digits behind a sign that it may have, fits into 64 bits: signed, or unsigned if positive.
 */
static bool fits(const char *text, size_t length)
{
	static const char *const largest[] = { "18446744073709551615", "9223372036854775808" };
	bool negative = *text == '-';
	const char *limit = largest[negative];

	text += negative;
	length -= negative;
	return length < strlen(limit) || (length == strlen(limit) && memcmp(text, limit, length) <= 0);
}

static int scan_number(struct scanner *scanner)
{
	size_t start = scanner->at, digits;
	bool zero, whole = true;

	if (look(scanner) == '-')
		scanner->at++;
	zero = look(scanner) == '0';
	digits = skip_decimals(scanner);
	if (digits == 0)
		return fail_expected(scanner, "a digit");
	if (zero && digits > 1)
		return fail(scanner, start, "a number must not begin with 0");
	if (look(scanner) == '.') {
		whole = false;
		scanner->at++;
		if (skip_decimals(scanner) == 0)
			return fail_expected(scanner, "a digit");
	}
	if (look(scanner) == 'e' || look(scanner) == 'E') {
		whole = false;
		scanner->at++;
		if (look(scanner) == '+' || look(scanner) == '-')
			scanner->at++;
		if (skip_decimals(scanner) == 0)
			return fail_expected(scanner, "a digit");
	}
	if (whole && scanner->source == JSON_MESSAGE && !fits(scanner->scan->text + start, scanner->at - start))
		return fail(scanner, start, "this number exceeds 64 bits");
	return 0;
}

static int scan_word(struct scanner *scanner)
{
	static const char *const words[] = { "true", "false", "null" };
	const char *text = scanner->scan->text + scanner->at;

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strncmp(text, words[i], strlen(words[i])) == 0) {
			scanner->at += strlen(words[i]);
			return 0;
		}
	}
	return fail_expected(scanner, "a value (a string in double quotes, a number, true, false, null, [ or {)");
}

/* Numbers the value that begins here. */
static int open_node(struct scanner *scanner, uint32_t key, uint32_t *number)
{
	struct json_scan *scan = scanner->scan;

	if (scan->count == scan->allocated) {
		size_t allocated = scan->allocated ? scan->allocated * 2 : 64;
		struct json_node *larger = reallocarray(scan->node, allocated, sizeof *larger);

		if (!larger)
			return -ENOMEM;
		scan->node = larger;
		scan->allocated = allocated;
	}
	*number = (uint32_t)scan->count;
	scan->node[scan->count++] = (struct json_node){ .offset = (uint32_t)scanner->at, .key = key };
	return 0;
}

static int scan_value(struct scanner *scanner, uint32_t key);

/* A key and its colon; *key is where the key begins. */
static int scan_key(struct scanner *scanner, uint32_t *key)
{
	int error;

	*key = (uint32_t)scanner->at;
	if (look(scanner) != '"')
		return fail_expected(scanner, "a key in double quotes");
	scanner->in_key = true;
	error = scan_string(scanner);
	scanner->in_key = false;
	if (error < 0)
		return error;
	skip_space(scanner);
	if (look(scanner) != ':')
		return fail_expected(scanner, "':' after a key");
	scanner->at++;
	return 0;
}

/* An object or array: the bracket here, values with commas between them, and the bracket that closes it. */
static int scan_container(struct scanner *scanner)
{
	bool object = look(scanner) == '{';
	char close = object ? '}' : ']';
	int error = 0;

	if (scanner->depth >= scanner->depth_max)
		return fail(scanner, scanner->at, "nests deeper than %u levels", scanner->depth_max);
	scanner->depth++;
	scanner->at++;
	skip_space(scanner);
	if (look(scanner) == close) {
		scanner->at++;
		scanner->depth--;
		return 0;
	}
	for (;;) {
		uint32_t key = UINT32_MAX;

		skip_space(scanner);
		if (look(scanner) == close)
			return fail(scanner, scanner->at, "remove the comma before this '%c'", close);
		if (object)
			error = scan_key(scanner, &key);
		if (error == 0)
			error = scan_value(scanner, key);
		if (error < 0)
			return error;
		skip_space(scanner);
		if (look(scanner) == close) {
			scanner->at++;
			scanner->depth--;
			return 0;
		}
		if (look(scanner) != ',')
			return fail_expected(scanner, object ? "',' or '}'" : "',' or ']'");
		scanner->at++;
	}
}

static int scan_value(struct scanner *scanner, uint32_t key)
{
	uint32_t number;
	int error;
	char c;

	skip_space(scanner);
	error = open_node(scanner, key, &number);
	if (error < 0)
		return error;
	c = look(scanner);
	if (c == '{' || c == '[')
		error = scan_container(scanner);
	else if (c == '"')
		error = scan_string(scanner);
	else if (c == '-' || (c >= '0' && c <= '9'))
		error = scan_number(scanner);
	else
		error = scan_word(scanner);
	if (error == 0)
		scanner->scan->node[number].end = (uint32_t)scanner->scan->count;
	return error;
}

int json_scan(const char *text, size_t length, enum json_source source, unsigned depth_max, struct json_scan *out,
	      struct json_problem *problem)
{
	struct json_scan scan = { .length = length };
	struct scanner scanner = { .scan = &scan, .source = source, .depth_max = depth_max, .problem = problem };
	int error;

	if (length > JSON_TEXT_MAX) {
		*problem = (struct json_problem){ .line = 0 };
		text_format(problem->message, sizeof problem->message, "is larger than %u bytes", JSON_TEXT_MAX);
		return -EINVAL;
	}
	scan.text = malloc(length + 1);
	if (!scan.text)
		return -ENOMEM;
	if (length > 0)
		memcpy(scan.text, text, length);
	scan.text[length] = '\0';
	error = find_lines(&scan);
	if (error == 0)
		error = check_characters(&scanner);
	if (error == 0 && source == JSON_FILE)
		error = blank_comments(&scanner);
	if (error == 0)
		error = scan_value(&scanner, UINT32_MAX);
	if (error == 0) {
		skip_space(&scanner);
		if (scanner.at < length)
			error = fail(&scanner, scanner.at, "unexpected data after the value%s",
				     source == JSON_FILE ? ": the file must hold one" : "");
	}
	if (error < 0)
		json_scan_done(&scan);
	else
		*out = scan;
	return error;
}

void json_scan_done(struct json_scan *scan)
{
	free(scan->text);
	free(scan->line);
	free(scan->node);
	*scan = (struct json_scan){ .text = NULL };
}
