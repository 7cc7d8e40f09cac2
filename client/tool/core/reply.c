#include "reply.h"

#include "../../../include/words.h"

#include <json-c/json.h>
#include <string.h>

/* A field of an object, or NULL where it is missing or of another type. */
static struct json_object *field(struct json_object *object, const char *key, enum json_type type)
{
	struct json_object *value;

	if (!json_object_is_type(object, json_type_object) || !json_object_object_get_ex(object, key, &value) ||
	    !json_object_is_type(value, type))
		return NULL;
	return value;
}

struct json_object *reply_parse(const char *text)
{
	struct json_object *object = json_tokener_parse(text);

	if (json_object_is_type(object, json_type_object))
		return object;
	json_object_put(object);
	return NULL;
}

const char *reply_string(struct json_object *object, const char *key, const char *fallback)
{
	struct json_object *value = field(object, key, json_type_string);

	return value != NULL ? json_object_get_string(value) : fallback;
}

int64_t reply_number(struct json_object *object, const char *key, int64_t fallback)
{
	struct json_object *value = field(object, key, json_type_int);

	return value != NULL ? json_object_get_int64(value) : fallback;
}

bool reply_flag(struct json_object *object, const char *key)
{
	return json_object_get_boolean(field(object, key, json_type_boolean));
}

struct json_object *reply_list(struct json_object *object, const char *key)
{
	return field(object, key, json_type_array);
}

struct json_object *reply_object(struct json_object *object, const char *key)
{
	return field(object, key, json_type_object);
}

size_t reply_count(struct json_object *list)
{
	return list != NULL ? json_object_array_length(list) : 0;
}

struct json_object *reply_entry(struct json_object *list, size_t index)
{
	struct json_object *entry = index < reply_count(list) ? json_object_array_get_idx(list, index) : NULL;

	return json_object_is_type(entry, json_type_object) ? entry : NULL;
}

const char *reply_text(struct json_object *list, size_t index)
{
	struct json_object *entry = index < reply_count(list) ? json_object_array_get_idx(list, index) : NULL;

	return json_object_is_type(entry, json_type_string) ? json_object_get_string(entry) : "";
}

struct json_object *reply_find(struct json_object *list, const char *key, const char *text)
{
	size_t count = reply_count(list);

	for (size_t i = 0; i < count; i++) {
		struct json_object *entry = reply_entry(list, i);

		if (strcmp(reply_string(entry, key, ""), text) == 0)
			return entry;
	}
	return NULL;
}

bool reply_is_claimed(struct json_object *device)
{
	return device_availability_from_string(reply_string(device, "state", "free")) < 0;
}
