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

static bool read_device(struct varlink_reply *reply, struct json_object *entry, struct claim_reply *out)
{
	struct claim_device_fd *device = &out->device[out->device_count];

	if (!json_object_is_type(entry, json_type_object) ||
	    !copy_name(entry, "address", device->address, sizeof(device->address)))
		return false;
	for (size_t i = 0; i < out->device_count; i++)
		if (strcmp(out->device[i].address, device->address) == 0)
			return false;
	if (!take_fd(reply, entry, "fd", &device->fd))
		return false;
	out->device_count++;
	return true;
}

static const char *read_devices(struct varlink_reply *reply, struct claim_reply *out)
{
	struct json_object *devices;
	size_t count;

	if (!json_object_object_get_ex(reply->parameters, "devices", &devices) ||
	    !json_object_is_type(devices, json_type_array))
		return "it lists no devices";
	count = json_object_array_length(devices);
	if (count == 0 || count > CLAIM_DEVICES_MAX)
		return "it lists no devices, or more than a claim can have";
	for (size_t i = 0; i < count; i++)
		if (!read_device(reply, json_object_array_get_idx(devices, i), out))
			return "a device has no name of its own, or no descriptor of its own";
	return NULL;
}

/* What the reply of Claim has and that of AddDevice has not. */
static const char *read_context(struct varlink_reply *reply, struct claim_reply *out)
{
	struct json_object *parameters = reply->parameters;
	struct json_object *value;

	if (!copy_name(parameters, "mode", out->mode, sizeof(out->mode)))
		return "it names no mode";
	if (!take_fd(reply, parameters, "lease", &out->lease))
		return "it names no descriptor for the lease";
	if (!is_absent(parameters, "iommufd") && !take_fd(reply, parameters, "iommufd", &out->iommufd))
		return "it names no descriptor for the iommufd";
	if (!is_absent(parameters, "ioas_id")) {
		int64_t number;

		json_object_object_get_ex(parameters, "ioas_id", &value);
		number = json_object_get_int64(value);
		if (!json_object_is_type(value, json_type_int) || number < 0 || number > UINT32_MAX)
			return "its IOAS is no number";
		out->ioas_id = (uint32_t)number;
	}
	if (!is_absent(parameters, "memlock")) {
		json_object_object_get_ex(parameters, "memlock", &value);
		if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0)
			return "its limit of locked memory is no number of bytes";
	}
	return NULL;
}

static const char *read_lockouts(struct json_object *parameters)
{
	struct json_object *lockouts;
	size_t count;

	if (is_absent(parameters, "lockouts"))
		return NULL;
	json_object_object_get_ex(parameters, "lockouts", &lockouts);
	if (!json_object_is_type(lockouts, json_type_array))
		return "its lockouts are no list";
	count = json_object_array_length(lockouts);
	for (size_t i = 0; i < count; i++) {
		struct json_object *entry = json_object_array_get_idx(lockouts, i);

		if (!json_object_is_type(entry, json_type_string) || json_object_get_string_len(entry) == 0 ||
		    json_object_get_string_len(entry) >= DEVICE_NAME_MAX)
			return "a lockout is no device's name";
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

int claim_reply_read(struct varlink_reply *reply, bool added, struct claim_reply *out, const char **why)
{
	struct claim_reply claim = { .lease = -1, .iommufd = -1 };
	const char *wrong = NULL;

	if (!copy_name(reply->parameters, "claim", claim.id, sizeof(claim.id)))
		wrong = "it names no claim";
	if (wrong == NULL && !added)
		wrong = read_context(reply, &claim);
	if (wrong == NULL)
		wrong = read_devices(reply, &claim);
	if (wrong == NULL)
		wrong = read_lockouts(reply->parameters);
	if (wrong == NULL && reply->fds.left > 0)
		wrong = "it carries file descriptors that it does not name";
	if (wrong != NULL) {
		claim_reply_done(&claim);
		*why = wrong;
		return -EPROTO;
	}
	*out = claim;
	return 0;
}

void claim_reply_done(struct claim_reply *claim)
{
	for (size_t i = 0; i < claim->device_count; i++)
		if (claim->device[i].fd >= 0)
			close(claim->device[i].fd);
	claim->device_count = 0;
	if (claim->iommufd >= 0)
		close(claim->iommufd);
	if (claim->lease >= 0)
		close(claim->lease);
	claim->iommufd = -1;
	claim->lease = -1;
}
