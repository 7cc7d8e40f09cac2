#include "json_build.h"

#include <errno.h>
#include <json-c/json.h>
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
