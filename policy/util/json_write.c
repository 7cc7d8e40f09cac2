#include "json_write.h"

#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local bool short_of_memory;

static struct json_object *made(struct json_object *value)
{
	short_of_memory = short_of_memory || !value;
	return value;
}

struct json_object *json_make_object(void)
{
	return made(json_object_new_object());
}

struct json_object *json_make_array(void)
{
	return made(json_object_new_array());
}

struct json_object *json_make_string(const char *text)
{
	size_t size = strlen(text) * 4 + 1;
	struct json_object *string;
	char *escaped;

	if (text_is_utf8(text))
		return made(json_object_new_string(text));
	escaped = malloc(size);
	string = escaped ? json_object_new_string(text_escape(escaped, size, text, strlen(text))) : NULL;
	free(escaped);
	return made(string);
}

struct json_object *json_make_string_or_null(const char *text)
{
	return text[0] ? json_make_string(text) : NULL;
}

struct json_object *json_make_number(int64_t number)
{
	return made(json_object_new_int64(number));
}

struct json_object *json_make_number_or_null(int64_t number)
{
	return number < 0 ? NULL : json_make_number(number);
}

struct json_object *json_make_unsigned(uint64_t number)
{
	return made(json_object_new_uint64(number));
}

struct json_object *json_make_truth(bool truth)
{
	return made(json_object_new_boolean(truth));
}

void json_set(struct json_object *object, const char *key, struct json_object *value)
{
	if (object && json_object_object_add_ex(object, key, value, JSON_C_OBJECT_KEY_IS_CONSTANT) == 0)
		return;
	short_of_memory = true;
	json_object_put(value);
}

void json_unset(struct json_object *object, const char *key)
{
	if (object)
		json_object_object_del(object, key);
}

void json_add(struct json_object *array, struct json_object *value)
{
	if (array && json_object_array_add(array, value) == 0)
		return;
	short_of_memory = true;
	json_object_put(value);
}

void json_lacks_memory(void)
{
	short_of_memory = true;
}

bool json_is_whole(void)
{
	bool whole = !short_of_memory;

	short_of_memory = false;
	return whole;
}

struct json_object *json_whole(struct json_object *object)
{
	if (json_is_whole())
		return object;
	json_object_put(object);
	return NULL;
}

const char *json_text(struct json_object *object)
{
	bool whole = json_is_whole();
	const char *text = NULL;

	errno = 0;
	if (object && whole)
		text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
	/* json-c leaves out what its buffer has no place for. It does not say so, but malloc(3) does. */
	return errno == ENOMEM ? NULL : text;
}
