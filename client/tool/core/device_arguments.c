#include "device_arguments.h"

#include "../../json_build.h"
#include "session.h"

#include <errno.h>
#include <json-c/json.h>

int device_arguments_read(struct session *session, struct device_names *names)
{
	const char *wrong;
	int result = device_names_read(names, session->line->argument, session->line->argument_count, &wrong);

	if (result == -EINVAL)
		return session_fail(
			session, EXIT_USAGE,
			"invalid device name \"%s\"; name a PCI device by its address, 0000:01:00.0 or 01:00.0 (see "
			"`ioasidctl list`)",
			wrong);
	if (result < 0)
		return session_fail(session, EXIT_USAGE, "a claim can have at most %d devices", CLAIM_DEVICES_MAX);
	return EXIT_DONE;
}

static int set_option(struct json_object *object, const char *key, const char *value)
{
	return value != NULL ? json_build_set(object, key, json_object_new_string(value)) : 0;
}

struct json_object *device_arguments_question(const struct session *session, const struct device_names *names)
{
	struct json_object *object = json_object_new_object(), *devices = json_object_new_array();
	int error = object != NULL && devices != NULL ? 0 : -ENOMEM;

	for (size_t i = 0; error == 0 && i < names->count; i++)
		error = json_build_append(devices, json_object_new_string(names->name[i]));
	if (error == 0)
		error = json_build_set(object, "devices", json_object_get(devices));
	json_object_put(devices);
	if (error == 0)
		error = set_option(object, "mode", session->line->mode);
	if (error == 0)
		error = set_option(object, "user", session->line->as);
	if (error == 0)
		error = set_option(object, "unit", session->line->unit);
	if (error == 0)
		return object;
	json_object_put(object);
	return NULL;
}

const char *device_arguments_text(const struct device_names *names, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < names->count; i++) {
		const char *before = i == 0 ? "" : i + 1 == names->count ? " and " : ", ";
		size_t room = size - used;
		int written = snprintf(out + used, room, "%s%s", before, names->name[i]);

		if (written < 0 || (size_t)written >= room || (i + 1 < names->count && room - (size_t)written < 5)) {
			snprintf(out + used, room, "...");
			break;
		}
		used += (size_t)written;
	}
	return out;
}
