#include "json_fields.h"

#include "json_write.h"
#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

int json_fields_refuse(const struct json_value *value, bool key, struct json_problem *problem, const char *format, ...)
{
	char path[TEXT_MAX], what[TEXT_MAX];
	va_list arguments;

	va_start(arguments, format);
	text_format_list(what, sizeof(what), format, arguments);
	va_end(arguments);
	json_value_path(value, path, sizeof(path));
	json_value_position(value, key, &problem->line, &problem->column);
	text_format(problem->message, sizeof(problem->message), "%s%s%s", path, *path ? ": " : "", what);
	return -EINVAL;
}

static int refuse_unknown(const struct json_value *value, const struct field *field, size_t count,
			  struct json_problem *problem)
{
	char known[TEXT_MAX] = "";

	for (size_t i = 0; i < count; i++)
		text_append(known, sizeof(known), "%s%s", i > 0 ? ", " : "", field[i].key);
	return json_fields_refuse(value, true, problem, "unknown key; known keys: %s", known);
}

static const struct field *find_field(const struct field *field, size_t count, const char *key)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(field[i].key, key) == 0)
			return &field[i];
	return NULL;
}

int json_fields_read(const struct json_value *object, const struct field *field, size_t count, void *out,
		     struct json_problem *problem)
{
	struct json_children children = json_value_children(object);
	struct json_value value;
	uint64_t seen = 0;

	if (!json_object_is_type(object->object, json_type_object))
		return json_fields_refuse(object, false, problem, "expected an object in braces");
	while (json_children_next(&children, &value)) {
		const struct field *found = find_field(field, count, value.key);
		int error;

		if (!found)
			return refuse_unknown(&value, field, count, problem);
		if (!value.object && found->required)
			return json_fields_refuse(&value, false, problem, "unexpected null: expected %s",
						  found->wanted ? found->wanted : "a value");
		seen |= UINT64_C(1) << (found - field);
		if (!value.object)
			continue;
		error = found->read(found, &value, out, problem);
		if (error < 0)
			return error;
	}
	for (size_t i = 0; i < count; i++)
		if (field[i].required && !(seen & UINT64_C(1) << i))
			return json_fields_refuse(object, false, problem, "missing key %s", field[i].key);
	return 0;
}

static void *member(const struct field *field, void *out)
{
	return (char *)out + field->offset;
}

static int refuse_kind(const struct field *field, const struct json_value *value, struct json_problem *problem,
		       const char *kind)
{
	return json_fields_refuse(value, false, problem, "expected %s", field->wanted ? field->wanted : kind);
}

int read_text(const struct field *field, const struct json_value *value, void *out, struct json_problem *problem)
{
	const char *text = json_object_get_string(value->object);
	size_t length;

	if (!json_object_is_type(value->object, json_type_string))
		return refuse_kind(field, value, problem, "a text");
	length = (size_t)json_object_get_string_len(value->object);
	if (length >= field->size)
		return json_fields_refuse(value, false, problem, "string too long: at most %zu bytes", field->size - 1);
	/* What a NUL byte in it would hide has to be seen: it makes strlen() and the length differ. */
	if (strlen(text) != length || !text_is_printable(text, length + 1))
		return json_fields_refuse(value, false, problem, "the string has unprintable characters");
	if (field->valid && !field->valid(text))
		return refuse_kind(field, value, problem, "a different string");
	memcpy(member(field, out), text, length + 1);
	return 0;
}

int read_bool(const struct field *field, const struct json_value *value, void *out, struct json_problem *problem)
{
	if (!json_object_is_type(value->object, json_type_boolean))
		return refuse_kind(field, value, problem, "true or false");
	*(bool *)member(field, out) = json_object_get_boolean(value->object);
	return 0;
}

int read_bool32(const struct field *field, const struct json_value *value, void *out, struct json_problem *problem)
{
	if (!json_object_is_type(value->object, json_type_boolean))
		return refuse_kind(field, value, problem, "true or false");
	*(uint32_t *)member(field, out) = json_object_get_boolean(value->object) ? 1 : 0;
	return 0;
}

int read_bool8(const struct field *field, const struct json_value *value, void *out, struct json_problem *problem)
{
	if (!json_object_is_type(value->object, json_type_boolean))
		return refuse_kind(field, value, problem, "true or false");
	*(uint8_t *)member(field, out) = json_object_get_boolean(value->object) ? 1 : 0;
	return 0;
}

int read_number32(const struct field *field, const struct json_value *value, void *out, struct json_problem *problem)
{
	int64_t number = json_object_get_int64(value->object);

	if (!json_object_is_type(value->object, json_type_int) || number < field->min || number > field->max)
		return json_fields_refuse(value, false, problem, "expected an integer from %lld to %lld",
					  (long long)field->min, (long long)field->max);
	*(int32_t *)member(field, out) = (int32_t)number;
	return 0;
}

/* The number in exactly field->size hexadecimal digits; -1: it is none. */
static int64_t hexadecimal(const struct field *field, const struct json_value *value)
{
	static const char digits[] = "0123456789abcdef";
	const char *text = json_object_get_string(value->object);
	int64_t number = 0;

	if (!json_object_is_type(value->object, json_type_string) ||
	    (size_t)json_object_get_string_len(value->object) != field->size || strspn(text, digits) != field->size)
		return -1;
	for (; *text; text++)
		number = number * 16 + (strchr(digits, *text) - digits);
	return number;
}

static int refuse_hexadecimal(const struct field *field, const struct json_value *value, struct json_problem *problem)
{
	return json_fields_refuse(value, false, problem, "expected a string of %zu hexadecimal digits in lower case",
				  field->size);
}

int read_hex16(const struct field *field, const struct json_value *value, void *out, struct json_problem *problem)
{
	int64_t number = hexadecimal(field, value);

	if (number < 0)
		return refuse_hexadecimal(field, value, problem);
	*(uint16_t *)member(field, out) = (uint16_t)number;
	return 0;
}

int read_hex32(const struct field *field, const struct json_value *value, void *out, struct json_problem *problem)
{
	int64_t number = hexadecimal(field, value);

	if (number < 0)
		return refuse_hexadecimal(field, value, problem);
	*(uint32_t *)member(field, out) = (uint32_t)number;
	return 0;
}

struct json_object *json_fields_write(const struct field *field, size_t count, const void *in)
{
	struct json_object *object = json_make_object();

	for (size_t i = 0; i < count; i++) {
		struct json_object *value = field[i].write(&field[i], in);

		if (value || !field[i].sparse)
			json_set(object, field[i].key, value);
	}
	return object;
}

static const void *value_of(const struct field *field, const void *in)
{
	return (const char *)in + field->offset;
}

struct json_object *write_text(const struct field *field, const void *in)
{
	return json_make_string_or_null(value_of(field, in));
}

struct json_object *write_bool8(const struct field *field, const void *in)
{
	return json_make_truth(*(const uint8_t *)value_of(field, in) != 0);
}

struct json_object *write_true8(const struct field *field, const void *in)
{
	return *(const uint8_t *)value_of(field, in) != 0 ? json_make_truth(true) : NULL;
}

struct json_object *write_number32(const struct field *field, const void *in)
{
	return json_make_number_or_null(*(const int32_t *)value_of(field, in));
}

static struct json_object *write_hex(const struct field *field, uint32_t number)
{
	char text[16];

	text_format(text, sizeof text, "%0*x", (int)field->size, number);
	return json_make_string(text);
}

struct json_object *write_hex16(const struct field *field, const void *in)
{
	return write_hex(field, *(const uint16_t *)value_of(field, in));
}

struct json_object *write_hex32(const struct field *field, const void *in)
{
	return write_hex(field, *(const uint32_t *)value_of(field, in));
}
