#include "json_put.h"

bool json_put(struct json_object *object, const char *key, struct json_object *value)
{
	if (value && json_object_object_add(object, key, value) == 0)
		return true;
	json_object_put(value);
	return false;
}

bool json_put_text(struct json_object *object, const char *key, const char *text)
{
	if (!*text)
		return json_object_object_add(object, key, NULL) == 0;
	return json_put(object, key, json_object_new_string(text));
}

bool json_put_number(struct json_object *object, const char *key, int64_t number)
{
	if (number < 0)
		return json_object_object_add(object, key, NULL) == 0;
	return json_put(object, key, json_object_new_int64(number));
}

bool json_put_bool(struct json_object *object, const char *key, bool value)
{
	return json_put(object, key, json_object_new_boolean(value));
}

bool json_append(struct json_object *array, struct json_object *value)
{
	if (value && json_object_array_add(array, value) == 0)
		return true;
	json_object_put(value);
	return false;
}
