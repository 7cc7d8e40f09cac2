/*
 * Reading the values of a policy file by their types, with an error that names file, line, column, the way to the value
 * and what to write instead. Knows JSON and diagnostics, nothing of what the values mean.
 */
#pragma once

#include "../util/json_text.h"
#include "../util/name_table.h"
#include "policy.h"

/* What the reading of one policy file needs. */
struct parse {
	const char *file;
	struct diagnostics *diagnostics;
	const struct name_resolver *names; /* NULL: no name is known */
	struct name_table pools;           /* struct pool by its name; complete before anything else is read */
	bool has_parents;                  /* a selector has SELECTOR_PARENT */
	bool out_of_memory;
};

/* Reports at a value, behind the way to it. */
void parse_error(struct parse *parse, const struct json_value *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void parse_warning(struct parse *parse, const struct json_value *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Reports at the key of a member, behind the way to the object that has it. */
void parse_key_error(struct parse *parse, const struct json_value *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void parse_key_warning(struct parse *parse, const struct json_value *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Reports a key that none of the known ones is; known: "a, b, c". */
void parse_unknown_key(struct parse *parse, const struct json_value *at, const char *known);

/* Each returns false after an error was reported. what: "a list of rules". */
bool parse_is_object(struct parse *parse, const struct json_value *value, const char *what);
bool parse_is_array(struct parse *parse, const struct json_value *value, const char *what);
/* A text of at most size - 1 bytes, printable; NULL after an error. Lives as long as the JSON text. */
const char *parse_text(struct parse *parse, const struct json_value *value, size_t size);
bool parse_boolean(struct parse *parse, const struct json_value *value, bool *out);
/* A whole number from min to max, which is below INT64_MAX. */
bool parse_number(struct parse *parse, const struct json_value *value, uint64_t min, uint64_t max, uint64_t *out);
/* A number of devices, from 1 on. */
bool parse_device_limit(struct parse *parse, const struct json_value *value, uint32_t *out);
/* One of the words that from_string() knows, which words lists for the message. */
bool parse_word(struct parse *parse, const struct json_value *value, int (*from_string)(const char *text),
		const char *words, int *out);

/* The items of a list, which may be written as a single value too. */
struct parse_items {
	struct json_children children;
	const struct json_value *single;
};
/* False after an error: an empty list, or an object. */
bool parse_items_start(struct parse *parse, const struct json_value *value, struct parse_items *items);
bool parse_items_next(struct parse_items *items, struct json_value *item);

/* Appends a copy of text. */
void parse_list_add(struct parse *parse, struct text_list *list, const char *text);
/* A copy of text, or NULL out of memory. */
char *parse_copy(struct parse *parse, const char *text);
