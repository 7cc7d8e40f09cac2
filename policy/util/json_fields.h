/*
 * Reads a JSON object into a structure by a table of its keys, and writes one by the same table. Unknown keys, missing
 * ones and values of the wrong kind are refused with their place and with what is wanted instead. Knows nothing of what
 * the values mean.
 */
#pragma once

#include "json_text.h"

struct field {
	const char *key;
	/* Reads the value into the structure that out points to. 0, -ENOMEM, or -EINVAL with *problem filled. */
	int (*read)(const struct field *field, const struct json_value *value, void *out, struct json_problem *problem);
	/* The value of the structure that in points to; NULL: null. Only for json_fields_write(), which needs it of
	 * all. */
	struct json_object *(*write)(const struct field *field, const void *in);
	size_t offset;    /* of the member in the structure */
	size_t size;      /* of the member, if it is a text; the digits of a hexadecimal number */
	int64_t min, max; /* of a number */
	bool required;
	bool sparse; /* null is not written, but left out */
	/* Whether a text is in order, and what is wanted if it is not. NULL: any text. */
	bool (*valid)(const char *text);
	const char *wanted;
};

/*
 * Reads the members of an object. Members of *out that the object does not name, or names with null, stay as they are.
 * 0, -ENOMEM, or -EINVAL with *problem filled.
 */
int json_fields_read(const struct json_value *object, const struct field *field, size_t count, void *out,
		     struct json_problem *problem);
/* The structure as an object, which the caller owns, with its members in the order of the table; whole as json_write.h
 * says. */
struct json_object *json_fields_write(const struct field *field, size_t count, const void *in);
/* Fills in a problem with the place of a value (or of its key). Returns -EINVAL. */
int json_fields_refuse(const struct json_value *value, bool key, struct json_problem *problem, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* For field.read: */
int read_text(const struct field *field, const struct json_value *value, void *out, struct json_problem *problem);
int read_bool(const struct field *field, const struct json_value *value, void *out, struct json_problem *problem);
/* A bool that becomes a uint32_t, 0 or 1. */
int read_bool32(const struct field *field, const struct json_value *value, void *out, struct json_problem *problem);
/* A bool that becomes a uint8_t, 0 or 1. */
int read_bool8(const struct field *field, const struct json_value *value, void *out, struct json_problem *problem);
/* An integer from min to max that becomes an int32_t or uint32_t. */
int read_number32(const struct field *field, const struct json_value *value, void *out, struct json_problem *problem);
/* Exactly size hexadecimal digits in lower case that become a uint16_t or uint32_t: "11e8", "020000". */
int read_hex16(const struct field *field, const struct json_value *value, void *out, struct json_problem *problem);
int read_hex32(const struct field *field, const struct json_value *value, void *out, struct json_problem *problem);

/* For field.write, each the reverse of the one above. Null are an empty text and a negative number. */
struct json_object *write_text(const struct field *field, const void *in);
struct json_object *write_bool8(const struct field *field, const void *in);
/* Null for 0. */
struct json_object *write_true8(const struct field *field, const void *in);
struct json_object *write_number32(const struct field *field, const void *in);
struct json_object *write_hex16(const struct field *field, const void *in);
struct json_object *write_hex32(const struct field *field, const void *in);
