#include "bus_variant.h"

#include "bus_text.h"

#include "../../../../policy/util/json_write.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool is_one_of(const char *key, const char *const *names)
{
	for (size_t i = 0; names && names[i]; i++)
		if (strcmp(key, names[i]) == 0)
			return true;
	return false;
}

/* What is in an empty list can't be seen: of those of texts and of numbers there are few, all others are of objects. */
static const char *empty_list(const char *key, const char *const *texts)
{
	static const char *const always_texts[] = { "files", "units", NULL };
	static const char *const numbers[] = { "users", "groups", NULL };

	if (is_one_of(key, always_texts) || is_one_of(key, texts))
		return "as";
	return is_one_of(key, numbers) ? "ax" : "aa{sv}";
}

static const char *list_type(const char *key, struct json_object *list, const char *const *texts)
{
	struct json_object *first = json_object_array_length(list) ? json_object_array_get_idx(list, 0) : NULL;

	if (json_object_is_type(first, json_type_string))
		return "as";
	if (json_object_is_type(first, json_type_int))
		return "ax";
	return first ? "aa{sv}" : empty_list(key, texts);
}

static int append_list(sd_bus_message *message, const char *type, struct json_object *list,
		       const struct descriptors *fds, const char *const *texts)
{
	int result = sd_bus_message_open_container(message, 'a', type + 1);

	for (size_t i = 0; i < json_object_array_length(list) && result >= 0; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);

		if (type[1] == 's')
			result = bus_text_append(message, json_object_get_string(item));
		else if (type[1] == 'x')
			result = sd_bus_message_append(message, "x", json_object_get_int64(item));
		else
			result = bus_variant_append(message, item, fds, texts);
	}
	return result < 0 ? result : sd_bus_message_close_container(message);
}

static int append_number(sd_bus_message *message, const char *key, int64_t number, const struct descriptors *fds)
{
	static const char *const descriptor[] = { "lease", "iommufd", "container", "fd", "group_fd", NULL };

	if (!fds || !is_one_of(key, descriptor))
		return sd_bus_message_append(message, "v", "x", number);
	return number >= 0 && (size_t)number < fds->count ? sd_bus_message_append(message, "v", "h", fds->fd[number])
							  : -EBADF;
}

/* Appends a variant that holds a list or an object. */
static int append_container(sd_bus_message *message, const char *type, struct json_object *value,
			    const struct descriptors *fds, const char *const *texts)
{
	int result = sd_bus_message_open_container(message, 'v', type);

	if (result >= 0)
		result = json_object_is_type(value, json_type_array) ? append_list(message, type, value, fds, texts)
								     : bus_variant_append(message, value, fds, texts);
	return result < 0 ? result : sd_bus_message_close_container(message);
}

static int append_value(sd_bus_message *message, const char *key, struct json_object *value,
			const struct descriptors *fds, const char *const *texts)
{
	switch (json_object_get_type(value)) {
	case json_type_boolean:
		return sd_bus_message_append(message, "v", "b", json_object_get_boolean(value));
	case json_type_int:
		return append_number(message, key, json_object_get_int64(value), fds);
	case json_type_string:
		return bus_text_append_variant(message, json_object_get_string(value));
	case json_type_array:
		return append_container(message, list_type(key, value, texts), value, fds, texts);
	case json_type_object:
		return append_container(message, "a{sv}", value, fds, texts);
	case json_type_null:
	case json_type_double:
		break;
	}
	return -EINVAL; /* no report has any */
}

static int append_entry(sd_bus_message *message, const char *key, struct json_object *value,
			const struct descriptors *fds, const char *const *texts)
{
	int result = sd_bus_message_open_container(message, 'e', "sv");

	if (result >= 0)
		result = sd_bus_message_append(message, "s", key);
	if (result >= 0)
		result = append_value(message, key, value, fds, texts);
	return result < 0 ? result : sd_bus_message_close_container(message);
}

int bus_variant_append(sd_bus_message *message, struct json_object *object, const struct descriptors *fds,
		       const char *const *texts)
{
	int result = json_is_whole() ? sd_bus_message_open_container(message, 'a', "{sv}") : -ENOMEM;

	if (result < 0)
		return result;
	json_object_object_foreach(object, key, value)
	{
		if (result >= 0 && value)
			result = append_entry(message, key, value, fds, texts);
	}
	return result < 0 ? result : sd_bus_message_close_container(message);
}
