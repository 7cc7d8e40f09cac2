#include "parse_value.h"

#include "../util/text.h"

#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 5, 0))) static void report(struct parse *parse, bool error, const struct json_value *at,
							 bool key, const char *format, va_list arguments)
{
	char message[TEXT_MAX], path[TEXT_MAX / 2];
	unsigned line, column;

	json_value_position(at, key, &line, &column);
	json_value_path(key && at->parent ? at->parent : at, path, sizeof path);
	text_format_list(message, sizeof message, format, arguments);
	diagnostics_add(parse->diagnostics, error, parse->file, line, column, "%s%s%s", path, path[0] ? ": " : "",
			message);
}

void parse_error(struct parse *parse, const struct json_value *at, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	report(parse, true, at, false, format, arguments);
	va_end(arguments);
}

void parse_warning(struct parse *parse, const struct json_value *at, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	report(parse, false, at, false, format, arguments);
	va_end(arguments);
}

void parse_key_error(struct parse *parse, const struct json_value *at, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	report(parse, true, at, true, format, arguments);
	va_end(arguments);
}

void parse_key_warning(struct parse *parse, const struct json_value *at, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	report(parse, false, at, true, format, arguments);
	va_end(arguments);
}

void parse_unknown_key(struct parse *parse, const struct json_value *at, const char *known)
{
	char key[48];

	text_escape(key, sizeof key, at->key, strlen(at->key));
	parse_key_error(parse, at, "unknown key \"%s\"; known here: %s", key, known);
}

/* "a number", for what stands there. */
static const char *type_text(const struct json_value *value)
{
	switch (json_object_get_type(value->object)) {
	case json_type_null:
		return "null";
	case json_type_boolean:
		return "true or false";
	case json_type_double:
	case json_type_int:
		return "a number";
	case json_type_object:
		return "an object";
	case json_type_array:
		return "a list";
	case json_type_string:
		return "a text";
	}
	return "something else";
}

bool parse_is_object(struct parse *parse, const struct json_value *value, const char *what)
{
	if (json_object_is_type(value->object, json_type_object))
		return true;
	parse_error(parse, value, "must be %s in { }, not %s", what, type_text(value));
	return false;
}

bool parse_is_array(struct parse *parse, const struct json_value *value, const char *what)
{
	if (json_object_is_type(value->object, json_type_array))
		return true;
	parse_error(parse, value, "must be %s in [ ], not %s", what, type_text(value));
	return false;
}

const char *parse_text(struct parse *parse, const struct json_value *value, size_t size)
{
	const char *text;
	size_t length;

	if (!json_object_is_type(value->object, json_type_string)) {
		parse_error(parse, value, "must be a string in double quotes, not %s", type_text(value));
		return NULL;
	}
	text = json_object_get_string(value->object);
	length = (size_t)json_object_get_string_len(value->object);
	if (length >= size) {
		parse_error(parse, value, "is %zu bytes long: at most %zu are supported", length, size - 1);
		return NULL;
	}
	if (!text_is_printable(text, length + 1)) {
		parse_error(parse, value, "has an unprintable character: remove it");
		return NULL;
	}
	return text;
}

bool parse_boolean(struct parse *parse, const struct json_value *value, bool *out)
{
	if (!json_object_is_type(value->object, json_type_boolean)) {
		parse_error(parse, value, "must be true or false, not %s", type_text(value));
		return false;
	}
	*out = json_object_get_boolean(value->object);
	return true;
}

bool parse_number(struct parse *parse, const struct json_value *value, uint64_t min, uint64_t max, uint64_t *out)
{
	int64_t number;

	if (json_object_is_type(value->object, json_type_double)) {
		parse_error(parse, value, "must be a whole number, without a point or exponent");
		return false;
	}
	if (!json_object_is_type(value->object, json_type_int)) {
		parse_error(parse, value, "must be a number, not %s", type_text(value));
		return false;
	}
	/* json-c gives INT64_MAX for all that is larger, so the largest legal number has to be below. */
	number = json_object_get_int64(value->object);
	if (number < 0 || (uint64_t)number < min || (uint64_t)number > max) {
		parse_error(parse, value, "is out of range: it must be from %llu to %llu", (unsigned long long)min,
			    (unsigned long long)max);
		return false;
	}
	*out = (uint64_t)number;
	return true;
}

bool parse_device_limit(struct parse *parse, const struct json_value *value, uint32_t *out)
{
	uint64_t number;

	if (!parse_number(parse, value, 1, UINT32_MAX - 1, &number))
		return false;
	*out = (uint32_t)number;
	return true;
}

bool parse_word(struct parse *parse, const struct json_value *value, int (*from_string)(const char *text),
		const char *words, int *out)
{
	const char *text = parse_text(parse, value, TEXT_MAX);
	char shown[48];
	int word;

	if (!text)
		return false;
	word = from_string(text);
	if (word < 0) {
		text_escape(shown, sizeof shown, text, strlen(text));
		parse_error(parse, value, "'%s' is not one of %s", shown, words);
		return false;
	}
	*out = word;
	return true;
}

bool parse_items_start(struct parse *parse, const struct json_value *value, struct parse_items *items)
{
	*items = (struct parse_items){ .children = json_value_children(value) };
	if (json_object_is_type(value->object, json_type_object)) {
		parse_error(parse, value, "must be a list in [ ], not an object");
		return false;
	}
	if (!json_object_is_type(value->object, json_type_array)) {
		items->single = value;
		return true;
	}
	if (json_object_array_length(value->object) == 0) {
		parse_error(parse, value, "is an empty list, which matches nothing: add an entry or remove the list");
		return false;
	}
	return true;
}

bool parse_items_next(struct parse_items *items, struct json_value *item)
{
	if (items->single) {
		*item = *items->single;
		items->single = NULL;
		return true;
	}
	return json_children_next(&items->children, item);
}

char *parse_copy(struct parse *parse, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		parse->out_of_memory = true;
	return copy;
}

void parse_list_add(struct parse *parse, struct text_list *list, const char *text)
{
	char **larger = reallocarray(list->item, list->count + 1, sizeof *larger);

	if (!larger) {
		parse->out_of_memory = true;
		return;
	}
	list->item = larger;
	larger[list->count] = parse_copy(parse, text);
	if (larger[list->count])
		list->count++;
}
