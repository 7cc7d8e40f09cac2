#include "claim_json.h"

#include "../json_build.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

/* A descriptor as JSON has it; null where there is none. */
static int set_fd(struct json_object *object, const char *key, int fd)
{
	if (fd >= 0)
		return json_build_set(object, key, json_object_new_int(fd));
	return json_object_object_add(object, key, NULL) == 0 ? 0 : -ENOMEM;
}

static struct json_object *list_nodes(const struct claim_device_fd *device)
{
	struct json_object *nodes = json_object_new_array();

	for (size_t i = 0; nodes != NULL && i < device->node_count; i++) {
		if (json_build_append(nodes, json_object_new_string(device->node[i])) < 0) {
			json_object_put(nodes);
			return NULL;
		}
	}
	return nodes;
}

static int append_device(struct json_object *array, const struct claim_device_fd *device)
{
	struct json_object *entry = json_object_new_object();

	if (entry == NULL || json_build_set(entry, "name", json_object_new_string(device->name)) < 0 ||
	    json_build_set(entry, "group", json_object_new_int(device->group)) < 0 ||
	    set_fd(entry, "fd", device->fd) < 0 || json_build_set(entry, "nodes", list_nodes(device)) < 0) {
		json_object_put(entry);
		return -ENOMEM;
	}
	return json_build_append(array, entry);
}

static int append_group(struct json_object *array, const struct claim_group_fd *group)
{
	struct json_object *entry = json_object_new_object();

	if (entry == NULL || json_build_set(entry, "group", json_object_new_int(group->number)) < 0 ||
	    set_fd(entry, "fd", group->fd) < 0) {
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
			if (strcmp(is->device[j].name, name) == 0) {
				json_object_array_del_idx(lockouts, i, 1);
				break;
			}
		}
	}
}

static int set_devices(const struct claim_reply *is, struct json_object *reply)
{
	struct json_object *devices = json_object_new_array();
	int result = devices == NULL ? -ENOMEM : 0;

	for (size_t i = 0; result == 0 && i < is->device_count; i++)
		result = append_device(devices, &is->device[i]);
	if (result < 0) {
		json_object_put(devices);
		return result;
	}
	return json_build_set(reply, "devices", devices);
}

static int set_groups(const struct claim_reply *is, struct json_object *reply)
{
	struct json_object *groups = json_object_new_array();
	int result = groups == NULL ? -ENOMEM : 0;

	for (size_t i = 0; result == 0 && i < is->group_count; i++)
		result = append_group(groups, &is->group[i]);
	if (result < 0) {
		json_object_put(groups);
		return result;
	}
	return json_build_set(reply, "groups", groups);
}

int claim_json_describe(const struct claim_reply *is, struct json_object *reply, char **json)
{
	const char *text;
	char *copy;

	drop_lockouts(is, reply);
	if (set_devices(is, reply) < 0 || set_groups(is, reply) < 0 || set_fd(reply, "lease", is->lease) < 0 ||
	    set_fd(reply, "iommufd", is->iommufd) < 0 || set_fd(reply, "container", is->container) < 0)
		return -ENOMEM;
	text = json_build_text(reply);
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

/* object[key] := text, unless there is none. */
static int set_text(struct json_object *object, const char *key, const char *text)
{
	return text != NULL ? json_build_set(object, key, json_object_new_string(text)) : 0;
}

struct json_object *claim_json_question(const char *const *devices, size_t count, const char *mode, const char *lease,
					const char *unit)
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
	if (json_build_set(parameters, "devices", array) < 0 || set_text(parameters, "mode", mode) < 0 ||
	    set_text(parameters, "lease", lease) < 0 || set_text(parameters, "unit", unit) < 0) {
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
