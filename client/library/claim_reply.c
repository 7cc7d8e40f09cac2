#include "claim_reply.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>
#include <unistd.h>

/* A name as it may stand in messages and in environment variables: printable ASCII without spaces, not too long. */
static bool copy_name(struct json_object *object, const char *key, char *out, size_t size)
{
	struct json_object *value;
	const char *text;
	size_t length;

	if (!json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, json_type_string))
		return false;
	text = json_object_get_string(value);
	length = (size_t)json_object_get_string_len(value);
	if (length == 0 || length >= size)
		return false;
	for (size_t i = 0; i < length; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	memcpy(out, text, length);
	out[length] = '\0';
	return true;
}

/* Takes the descriptor that a field is the index of. False: no integer, out of range, or taken before. */
static bool take_fd(struct varlink_reply *reply, struct json_object *object, const char *key, int *out)
{
	struct json_object *value;
	int fd;

	if (!json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, json_type_int))
		return false;
	fd = received_fds_take(&reply->fds, json_object_get_int64(value));
	if (fd < 0)
		return false;
	*out = fd;
	return true;
}

/* True if a nullable field is left out or null. */
static bool is_absent(struct json_object *object, const char *key)
{
	struct json_object *value;

	return !json_object_object_get_ex(object, key, &value) || value == NULL;
}

static bool is_mode(const struct claim_reply *claim, enum delivery_mode mode)
{
	static const char *const text[] = {
		[MODE_ATTACHED] = "attached",
		[MODE_OPEN] = "open",
		[MODE_NODE] = "node",
		[MODE_BROKERED] = "brokered",
	};

	return strcmp(claim->mode, text[mode]) == 0;
}

static bool is_interface(const struct claim_reply *claim, enum vfio_interface expected)
{
	return strcmp(claim->interface, expected == INTERFACE_IOMMUFD ? "iommufd" : "group") == 0;
}

/* The number of an IOMMU group. False: none, or none that the kernel could have given. */
static bool read_group_number(struct json_object *entry, int32_t *out)
{
	struct json_object *value;
	int64_t number;

	if (!json_object_object_get_ex(entry, "group", &value) || !json_object_is_type(value, json_type_int))
		return false;
	number = json_object_get_int64(value);
	if (number < 0 || number > INT32_MAX)
		return false;
	*out = (int32_t)number;
	return true;
}

/* A path below /dev that says what it means: no "..", nothing doubled. */
static bool copy_node(struct json_object *value, char out[static NODE_PATH_MAX])
{
	const char *text = json_object_get_string(value);
	size_t length;

	if (!json_object_is_type(value, json_type_string))
		return false;
	length = (size_t)json_object_get_string_len(value);
	if (length >= NODE_PATH_MAX || strlen(text) != length || strncmp(text, "/dev/", 5) != 0 ||
	    text[length - 1] == '/' || strstr(text, "/.") != NULL || strstr(text, "//") != NULL)
		return false;
	for (size_t i = 0; i < length; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	memcpy(out, text, length + 1);
	return true;
}

static bool read_nodes(struct json_object *entry, struct claim_device_fd *device)
{
	struct json_object *nodes;
	size_t count;

	if (is_absent(entry, "nodes"))
		return true;
	json_object_object_get_ex(entry, "nodes", &nodes);
	if (!json_object_is_type(nodes, json_type_array))
		return false;
	count = json_object_array_length(nodes);
	if (count > CLAIM_NODES_MAX)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!copy_node(json_object_array_get_idx(nodes, i), device->node[i]))
			return false;
		for (size_t j = 0; j < i; j++)
			if (strcmp(device->node[i], device->node[j]) == 0)
				return false;
		device->node_count++;
	}
	return true;
}

/* What a device has to come with. grows: the claim that it is added to, or NULL. */
static const char *check_device(const struct claim_device_fd *device, const struct claim_reply *out,
				const struct claim_reply *grows)
{
	bool by_group = is_mode(out, MODE_ATTACHED) && is_interface(out, INTERFACE_GROUP);

	if (is_mode(out, MODE_NODE)) {
		if (device->fd >= 0)
			return "a device has a file descriptor in mode node";
		return device->node_count > 0 ? NULL : "a device has no node in mode node";
	}
	if (device->node_count > 0)
		return "a device has nodes in a mode other than node";
	if (device->fd < 0 && (!by_group || grows == NULL || claim_reply_find_group(grows, device->group) < 0))
		return "a device has no file descriptor";
	if (by_group && claim_reply_find_group(out, device->group) < 0 &&
	    (grows == NULL || claim_reply_find_group(grows, device->group) < 0))
		return "a device is in a group that is not part of the claim";
	return NULL;
}

static const char *read_device(struct varlink_reply *reply, struct json_object *entry, struct claim_reply *out,
			       const struct claim_reply *grows)
{
	struct claim_device_fd *device = &out->device[out->device_count];
	const char *wrong;

	device->fd = -1;
	if (!json_object_is_type(entry, json_type_object) ||
	    !copy_name(entry, "name", device->name, sizeof(device->name)))
		return "a device has no name";
	for (size_t i = 0; i < out->device_count; i++)
		if (strcmp(out->device[i].name, device->name) == 0)
			return "duplicate device";
	if (!read_group_number(entry, &device->group))
		return "the IOMMU group of a device is not a number";
	if (!read_nodes(entry, device))
		return "invalid nodes of a device";
	if (!is_absent(entry, "fd") && !take_fd(reply, entry, "fd", &device->fd))
		return "a device has no file descriptor of its own";
	out->device_count++; /* from here on its descriptor is closed with the others */
	wrong = check_device(device, out, grows);
	return wrong;
}

static const char *read_devices(struct varlink_reply *reply, struct claim_reply *out, const struct claim_reply *grows)
{
	struct json_object *devices;
	const char *wrong = NULL;
	size_t count;

	if (!json_object_object_get_ex(reply->parameters, "devices", &devices) ||
	    !json_object_is_type(devices, json_type_array))
		return "missing list of devices";
	count = json_object_array_length(devices);
	if (count == 0 || count > CLAIM_DEVICES_MAX)
		return "no devices, or more than a claim can have";
	if (grows != NULL && count > 1)
		return "it adds more than one device";
	for (size_t i = 0; i < count && wrong == NULL; i++)
		wrong = read_device(reply, json_object_array_get_idx(devices, i), out, grows);
	return wrong;
}

static const char *read_group(struct varlink_reply *reply, struct json_object *entry, struct claim_reply *out,
			      const struct claim_reply *grows)
{
	struct claim_group_fd *group = &out->group[out->group_count];

	if (!json_object_is_type(entry, json_type_object) || !read_group_number(entry, &group->number))
		return "an IOMMU group has no number";
	if (claim_reply_find_group(out, group->number) >= 0 ||
	    (grows != NULL && claim_reply_find_group(grows, group->number) >= 0))
		return "duplicate IOMMU group";
	if (!take_fd(reply, entry, "fd", &group->fd))
		return "an IOMMU group has no file descriptor of its own";
	out->group_count++;
	return NULL;
}

static const char *read_groups(struct varlink_reply *reply, struct claim_reply *out, const struct claim_reply *grows)
{
	bool expected = is_mode(out, MODE_ATTACHED) && is_interface(out, INTERFACE_GROUP);
	struct json_object *groups;
	const char *wrong = NULL;
	size_t count;

	if (is_absent(reply->parameters, "groups"))
		return NULL;
	json_object_object_get_ex(reply->parameters, "groups", &groups);
	if (!json_object_is_type(groups, json_type_array))
		return "its IOMMU groups are not a list";
	count = json_object_array_length(groups);
	if (count > 0 && !expected)
		return "unexpected IOMMU groups";
	if (count > CLAIM_DEVICES_MAX)
		return "more IOMMU groups than a claim can have";
	for (size_t i = 0; i < count && wrong == NULL; i++)
		wrong = read_group(reply, json_object_array_get_idx(groups, i), out, grows);
	return wrong;
}

/* A group that no device is in was not asked for. */
static const char *check_groups(const struct claim_reply *out)
{
	for (size_t i = 0; i < out->group_count; i++) {
		bool found = false;

		for (size_t j = 0; j < out->device_count; j++)
			found |= out->device[j].group == out->group[i].number;
		if (!found)
			return "an IOMMU group has none of its devices";
	}
	return NULL;
}

/* The mode and the interface, and whether there can be both. */
static const char *read_delivery(struct json_object *parameters, struct claim_reply *out)
{
	if (!copy_name(parameters, "mode", out->mode, sizeof(out->mode)))
		return "missing mode";
	if (!is_mode(out, MODE_ATTACHED) && !is_mode(out, MODE_OPEN) && !is_mode(out, MODE_NODE))
		return "unknown mode";
	if (!copy_name(parameters, "interface", out->interface, sizeof(out->interface)))
		return "missing interface";
	if (!is_interface(out, INTERFACE_IOMMUFD) && !is_interface(out, INTERFACE_GROUP))
		return "unknown interface";
	if (is_mode(out, MODE_OPEN) && !is_interface(out, INTERFACE_IOMMUFD))
		return "mode \"open\" is unavailable with VFIO groups";
	return NULL;
}

/* The IOAS and the limit. */
static const char *read_numbers(struct json_object *parameters, struct claim_reply *out)
{
	struct json_object *value;

	if (!is_absent(parameters, "ioas_id")) {
		int64_t number;

		json_object_object_get_ex(parameters, "ioas_id", &value);
		number = json_object_get_int64(value);
		if (!json_object_is_type(value, json_type_int) || number < 0 || number > UINT32_MAX)
			return "its IOAS is not a number";
		out->ioas_id = (uint32_t)number;
	}
	if (!is_absent(parameters, "memlock")) {
		json_object_object_get_ex(parameters, "memlock", &value);
		if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0)
			return "its limit of locked memory is not a number of bytes";
	}
	return NULL;
}

/* What the reply of Claim has and that of AddDevice has not. */
static const char *read_context(struct varlink_reply *reply, bool leased, struct claim_reply *out)
{
	struct json_object *parameters = reply->parameters;
	const char *wrong = read_delivery(parameters, out);
	bool attached, iommufd;

	if (wrong != NULL)
		return wrong;
	if (leased ? !take_fd(reply, parameters, "lease", &out->lease) : !is_absent(parameters, "lease"))
		return leased ? "missing file descriptor of the lease"
			      : "unexpected lease: something else keeps the claim alive";
	if (!is_absent(parameters, "iommufd") && !take_fd(reply, parameters, "iommufd", &out->iommufd))
		return "missing file descriptor of the iommufd";
	if (!is_absent(parameters, "container") && !take_fd(reply, parameters, "container", &out->container))
		return "missing file descriptor of the container";
	wrong = read_numbers(parameters, out);
	if (wrong != NULL)
		return wrong;
	attached = is_mode(out, MODE_ATTACHED);
	iommufd = is_interface(out, INTERFACE_IOMMUFD);
	if ((out->iommufd >= 0) != iommufd)
		return iommufd ? "missing iommufd: the interface is iommufd"
			       : "unexpected iommufd: the interface is not iommufd";
	if ((out->container >= 0) != (attached && !iommufd))
		return out->container >= 0 ? "unexpected container for this mode and interface"
					   : "missing container: its devices are attached to one";
	if ((out->ioas_id != 0) != (attached && iommufd))
		return out->ioas_id != 0 ? "unexpected IOAS: nothing is attached to one"
					 : "missing IOAS: its devices are attached to one";
	return NULL;
}

/* What AddDevice says is about a claim whose delivery is known. */
static void inherit(const struct claim_reply *grows, struct claim_reply *out)
{
	memcpy(out->mode, grows->mode, sizeof(out->mode));
	memcpy(out->interface, grows->interface, sizeof(out->interface));
}

static const char *read_lockouts(struct json_object *parameters)
{
	struct json_object *lockouts;
	size_t count;

	if (is_absent(parameters, "lockouts"))
		return NULL;
	json_object_object_get_ex(parameters, "lockouts", &lockouts);
	if (!json_object_is_type(lockouts, json_type_array))
		return "its lockouts are not a list";
	count = json_object_array_length(lockouts);
	for (size_t i = 0; i < count; i++) {
		struct json_object *entry = json_object_array_get_idx(lockouts, i);

		if (!json_object_is_type(entry, json_type_string) || json_object_get_string_len(entry) == 0 ||
		    json_object_get_string_len(entry) >= DEVICE_NAME_MAX)
			return "a lockout is not a device name";
	}
	return NULL;
}

const char *claim_reply_id(const struct varlink_reply *reply)
{
	struct json_object *value;
	char id[CLAIM_ID_MAX];

	if (!copy_name(reply->parameters, "claim", id, sizeof(id)))
		return NULL;
	json_object_object_get_ex(reply->parameters, "claim", &value);
	return json_object_get_string(value);
}

int claim_reply_read(struct varlink_reply *reply, const struct claim_reply *grows, bool leased, struct claim_reply *out,
		     const char **why)
{
	struct claim_reply claim = { .lease = -1, .iommufd = -1, .container = -1 };
	const char *wrong = NULL;

	if (!copy_name(reply->parameters, "claim", claim.id, sizeof(claim.id)))
		wrong = "missing claim";
	else if (grows != NULL && strcmp(claim.id, grows->id) != 0)
		wrong = "it is about another claim";
	else if (grows != NULL)
		inherit(grows, &claim);
	else
		wrong = read_context(reply, leased, &claim);
	if (wrong == NULL)
		wrong = read_groups(reply, &claim, grows);
	if (wrong == NULL)
		wrong = read_devices(reply, &claim, grows);
	if (wrong == NULL)
		wrong = check_groups(&claim);
	if (wrong == NULL)
		wrong = read_lockouts(reply->parameters);
	if (wrong == NULL && reply->fds.left > 0)
		wrong = "it carries unnamed file descriptors";
	if (wrong != NULL) {
		claim_reply_done(&claim);
		*why = wrong;
		return -EPROTO;
	}
	*out = claim;
	return 0;
}

int claim_reply_read_lease(struct varlink_reply *reply, const struct claim_reply *claim, int *lease, const char **why)
{
	char id[CLAIM_ID_MAX];
	struct json_object *info;

	if (!json_object_object_get_ex(reply->parameters, "claim", &info) ||
	    !json_object_is_type(info, json_type_object) || !copy_name(info, "id", id, sizeof(id)) ||
	    strcmp(id, claim->id) != 0) {
		*why = "it is about another claim";
		return -EPROTO;
	}
	if (reply->fds.count != (is_absent(reply->parameters, "lease") ? 0 : 1)) {
		*why = "it has file descriptors other than the lease";
		return -EPROTO;
	}
	*lease = -1;
	if (reply->fds.count > 0 && !take_fd(reply, reply->parameters, "lease", lease)) {
		*why = "invalid lease";
		return -EPROTO;
	}
	return 0;
}

int claim_reply_find_group(const struct claim_reply *claim, int32_t number)
{
	for (size_t i = 0; i < claim->group_count; i++)
		if (claim->group[i].number == number)
			return (int)i;
	return -1;
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void claim_reply_done(struct claim_reply *claim)
{
	for (size_t i = 0; i < claim->device_count; i++)
		close_one(&claim->device[i].fd);
	for (size_t i = 0; i < claim->group_count; i++)
		close_one(&claim->group[i].fd);
	claim->device_count = 0;
	claim->group_count = 0;
	close_one(&claim->iommufd);
	close_one(&claim->container);
	close_one(&claim->lease);
}
