/*
 * A JSON text, read by json-c, of which every value knows its place: for messages that say file, line and column. All
 * JSON that comes from outside goes through here. Refuses what is not strict JSON, keys that are there twice, and what
 * follows the value. A number out of range, where it is not refused, has the value at the range's end. Reads no file.
 */
#pragma once

#include "json_scan.h"

#include <json-c/json_object.h>
#include <json-c/json_object_iterator.h>
#include <stdbool.h>

struct json_text;

/*
 * A value, with the way to it. Lives on the stack of the caller that walks; good as long as the text and its parent's
 * struct are. A null has no object.
 */
struct json_value {
	const struct json_text *text;
	struct json_object *object;      /* owned by the text; NULL for null */
	const struct json_value *parent; /* NULL for the root */
	const char *key;                 /* of a member of an object; else NULL */
	size_t index;                    /* of an item of an array */
	uint32_t node;                   /* number in the scan */
};

/* What remains to be walked of an object or array. */
struct json_children {
	const struct json_value *parent;
	struct json_object_iterator member, end;
	size_t index;
	uint32_t node, node_end;
};

/*
 * Parses a text with comments whose objects and arrays nest at most depth_max deep. 0 and *out, which the caller frees;
 * -ENOMEM; or -EINVAL with *problem filled.
 */
int json_text_new(const char *text, size_t length, unsigned depth_max, struct json_text **out,
		  struct json_problem *problem);
struct json_text *json_text_free(struct json_text *text);
/*
 * Reads a text into json-c's object, which the caller puts; no value of it knows its place. What is no object is
 * refused. 0, -ENOMEM, or -EINVAL with *problem filled.
 */
int json_text_read(const char *text, size_t length, enum json_source source, unsigned depth_max,
		   struct json_object **out, struct json_problem *problem);

struct json_value json_text_root(const struct json_text *text);
/* Starts to walk the members or items of a value, in the order of the text. Anything else has none. */
struct json_children json_value_children(const struct json_value *value);
/* The next member or item; false at the end. */
bool json_children_next(struct json_children *children, struct json_value *out);
/* The member of that key; false if there is none. */
bool json_value_member(const struct json_value *value, const char *key, struct json_value *out);

/* Where the value begins, or its key. */
void json_value_position(const struct json_value *value, bool key, unsigned *line, unsigned *column);
/* The way from the root, "rules[2].subject.user[0]"; "" for the root itself. Returns out. */
char *json_value_path(const struct json_value *value, char *out, size_t size);
/* Where the value of such a path begins; false if there is none. */
bool json_text_locate(const struct json_text *text, const char *path, unsigned *line, unsigned *column);
