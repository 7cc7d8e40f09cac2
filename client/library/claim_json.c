#include "claim_json.h"

#include "../json_build.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

static int append_device(struct json_object *array, const struct claim_device_fd *device)
{
	struct json_object *entry = json_object_new_object();

	if (entry == NULL || json_build_set(entry, "address", json_object_new_string(device->address)) < 0 ||
	    json_build_set(entry, "fd", json_object_new_int(device->fd)) < 0) {
		json_object_put(entry);
		return -ENOMEM;
	}
	return json_build_append(array, entry);
}

/* A device that is asked for is locked out no more. */
static void drop_lockouts(const struct claim_reply *is, struct json_object *reply)
{
	struct json_object *lockouts;

	if (!json_object_object_get_ex(reply, "lockouts", &lockouts) || lockouts == NULL)
		return;
	for (size_t i = json_object_array_length(lockouts); i-- > 0;) {
		const char *name = json_object_get_string(json_object_array_get_idx(lockouts, i));

		for (size_t j = 0; j < is->device_count; j++) {
			if (strcmp(is->device[j].address, name) == 0) {
				json_object_array_del_idx(lockouts, i, 1);
				break;
			}
		}
	}
}

int claim_json_describe(const struct claim_reply *is, struct json_object *reply, char **json)
{
	struct json_object *devices = json_object_new_array();
	const char *text;
	char *copy;
	int result = devices == NULL ? -ENOMEM : 0;

	for (size_t i = 0; result == 0 && i < is->device_count; i++)
		result = append_device(devices, &is->device[i]);
	if (result < 0) {
		json_object_put(devices);
		return result;
	}
	drop_lockouts(is, reply);
	if (json_build_set(reply, "devices", devices) < 0 ||
	    json_build_set(reply, "lease", json_object_new_int(is->lease)) < 0)
		return -ENOMEM;
	if (is->iommufd >= 0)
		result = json_build_set(reply, "iommufd", json_object_new_int(is->iommufd));
	else
		result = json_object_object_add(reply, "iommufd", NULL);
	text = result == 0 ? json_build_text(reply) : NULL;
	if (text == NULL)
		return -ENOMEM;
	copy = strdup(text);
	if (copy == NULL)
		return -ENOMEM;
	*json = copy;
	return 0;
}

int claim_json_merge_lockouts(struct json_object *reply, struct json_object *added)
{
	struct json_object *known, *more;
	size_t count;

	if (!json_object_object_get_ex(added, "lockouts", &more) || more == NULL)
		return 0;
	if (!json_object_object_get_ex(reply, "lockouts", &known) || known == NULL)
		return json_build_set(reply, "lockouts", json_object_get(more));
	count = json_object_array_length(more);
	for (size_t i = 0; i < count; i++) {
		struct json_object *entry = json_object_array_get_idx(more, i);
		size_t length = json_object_array_length(known);
		bool found = false;

		for (size_t j = 0; j < length && !found; j++)
			found = json_object_equal(json_object_array_get_idx(known, j), entry);
		if (!found && json_build_append(known, json_object_get(entry)) < 0)
			return -ENOMEM;
	}
	return 0;
}

struct json_object *claim_json_devices(const char *const *devices, size_t count, const char *mode)
{
	struct json_object *parameters = json_object_new_object();
	struct json_object *array = json_object_new_array();
	int result = parameters == NULL || array == NULL ? -ENOMEM : 0;

	for (size_t i = 0; result == 0 && i < count; i++)
		result = json_build_append(array, json_object_new_string(devices[i]));
	if (result < 0) {
		json_object_put(array);
		json_object_put(parameters);
		return NULL;
	}
	if (json_build_set(parameters, "devices", array) < 0 ||
	    (mode != NULL && json_build_set(parameters, "mode", json_object_new_string(mode)) < 0)) {
		json_object_put(parameters);
		return NULL;
	}
	return parameters;
}

struct json_object *claim_json_claim(const char *id, const char *device)
{
	struct json_object *parameters = json_object_new_object();

	int result = parameters == NULL ? -ENOMEM : json_build_set(parameters, "claim", json_object_new_string(id));

	if (result == 0 && device != NULL)
		result = json_build_set(parameters, "device", json_object_new_string(device));
	if (result == 0)
		return parameters;
	json_object_put(parameters);
	return NULL;
}
