#include "glob.h"

#include <stddef.h>
#include <string.h>

bool glob_has_wildcard(const char *pattern)
{
	for (; *pattern; pattern++)
		if (*pattern == '*' || *pattern == '?' || *pattern == '[')
			return true;
	return false;
}

/*
 * Compares one byte with the set that begins at pattern, which is '['. Returns the first byte behind the set, or NULL
 * where it is not well formed. ']' as the first of a set, and '-' as its first or last, stand for themselves.
 */
static const char *match_set(const char *pattern, unsigned char byte, bool *matches, const char **fault)
{
	bool inverted = false, found = false;
	const char *first;

	pattern++;
	if (*pattern == '!') {
		inverted = true;
		pattern++;
	}
	for (first = pattern; *pattern && (*pattern != ']' || pattern == first); pattern++) {
		unsigned char from = (unsigned char)*pattern, to = from;

		if (pattern[1] == '-' && pattern[2] && pattern[2] != ']') {
			to = (unsigned char)pattern[2];
			pattern += 2;
		}
		if (from > to) {
			*fault = "has a range that runs backwards";
			return NULL;
		}
		if (byte >= from && byte <= to)
			found = true;
	}
	if (!*pattern) {
		*fault = "has a '[' without its ']'";
		return NULL;
	}
	*matches = found != inverted;
	return pattern + 1;
}

const char *glob_fault(const char *pattern)
{
	const char *fault = NULL;
	bool ignored;

	while (*pattern) {
		if (*pattern != '[') {
			pattern++;
			continue;
		}
		pattern = match_set(pattern, 0, &ignored, &fault);
		if (!pattern)
			return fault;
	}
	return NULL;
}

bool glob_matches(const char *pattern, const char *text)
{
	const char *star = NULL, *resume = NULL, *fault;

	/* Only the last star can need another try: what stood before it has matched as early as it could. */
	while (*text) {
		const char *next = NULL;
		bool matches = false;

		if (*pattern == '*') {
			star = ++pattern;
			resume = text;
			continue;
		}
		if (*pattern == '[') {
			next = match_set(pattern, (unsigned char)*text, &matches, &fault);
			if (!next)
				return false;
		} else if (*pattern) {
			next = pattern + 1;
			matches = *pattern == '?' || *pattern == *text;
		}
		if (matches) {
			pattern = next;
			text++;
		} else if (star) {
			pattern = star;
			text = ++resume;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}
