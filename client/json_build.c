#include "json_build.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

int json_build_set(struct json_object *object, const char *key, struct json_object *value)
{
	if (value != NULL && json_object_object_add(object, key, value) == 0)
		return 0;
	json_object_put(value);
	return -ENOMEM;
}

int json_build_append(struct json_object *list, struct json_object *value)
{
	if (value != NULL && json_object_array_add(list, value) == 0)
		return 0;
	json_object_put(value);
	return -ENOMEM;
}

const char *json_build_text(struct json_object *object)
{
	const char *text =
		json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	struct json_object *copy = text != NULL ? json_tokener_parse(text) : NULL;
	bool same = copy != NULL && json_object_equal(copy, object);

	json_object_put(copy);
	return same ? text : NULL;
}
