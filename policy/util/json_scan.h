/*
 * The grammar of JSON, with comments if they are wanted, strictly, and where in the text each value stands. json-c
 * reads the values; it is laxer than RFC 8259 (NaN, raw line breaks in texts, overlong UTF-8) and tells no positions of
 * values, so this looks first. It refuses everything that json-c refuses and never makes a value itself.
 */
#pragma once

#include "../../include/words.h"

#include <stddef.h>
#include <stdint.h>

/* What is wrong with a text, and where. */
struct json_problem {
	unsigned line;   /* from 1; 0: the whole text */
	unsigned column; /* from 1, in bytes; 0: unknown */
	char message[TEXT_MAX];
};

/* A value of the text. Values are numbered in the order in which they begin; the first is the whole. */
struct json_node {
	uint32_t offset; /* where the value begins */
	uint32_t key;    /* where its key begins (a quote), or UINT32_MAX where it has none */
	uint32_t end;    /* the number of the next value that is not inside this one */
};

struct json_scan {
	char *text; /* the text with its comments as spaces, NUL-terminated; every byte stands where it stood */
	size_t length;
	uint32_t *line; /* where each line begins */
	size_t line_count;
	struct json_node *node;
	size_t count, allocated;
};

enum { JSON_TEXT_MAX = 64 * 1024 * 1024 }; /* bytes that are looked at, at most */

/* Who wrote the text. */
enum json_source {
	JSON_FILE, /* a person: comments are allowed (// to the end of the line, or between slash-star and star-slash)
		    */
	JSON_MESSAGE, /* a program: JSON as RFC 8259 has it, with numbers that 64 bits or a double can hold, and nothing
			 else */
	JSON_CALL, /* the same, but \u0000 in a text that is no key and numbers out of range are left to who reads the
		      value */
};

/*
 * Scans a text: comments become spaces, then the rest has to be one JSON value in UTF-8 whose objects and arrays nest
 * at most depth_max deep, without \u0000 in any text (but see JSON_CALL). Keys that are there twice are not found here.
 * 0 with *out filled (free it with json_scan_done()), -ENOMEM, or -EINVAL with *problem filled.
 */
int json_scan(const char *text, size_t length, enum json_source source, unsigned depth_max, struct json_scan *out,
	      struct json_problem *problem);
void json_scan_done(struct json_scan *scan);
/* Line and column of an offset, which is at most the text's length. */
void json_scan_position(const struct json_scan *scan, uint32_t offset, unsigned *line, unsigned *column);
