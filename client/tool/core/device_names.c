#include "device_names.h"

#include "../../../policy/model/device.h"

#include <errno.h>
#include <string.h>

int device_name_read(const char *text, char out[static DEVICE_NAME_MAX])
{
	size_t length = strlen(text);

	if (device_name_complete(text, out) == 0)
		return 0;
	if (length == 0 || length >= DEVICE_NAME_MAX)
		return -EINVAL;
	for (size_t i = 0; i < length; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return -EINVAL;
	memcpy(out, text, length + 1);
	return 0;
}

int device_names_read(struct device_names *names, const char *const *text, size_t count, const char **wrong)
{
	names->count = 0;
	for (size_t i = 0; i < count; i++) {
		char name[DEVICE_NAME_MAX];

		if (device_name_read(text[i], name) < 0) {
			*wrong = text[i];
			return -EINVAL;
		}
		/* Any one of a pool is another one each time. */
		if (strncmp(name, "pool:", 5) != 0 && device_names_find(names, name) >= 0)
			continue;
		if (names->count == CLAIM_DEVICES_MAX)
			return -E2BIG;
		memcpy(names->name[names->count], name, sizeof(name));
		names->pointer[names->count] = names->name[names->count];
		names->count++;
	}
	return 0;
}

int device_names_find(const struct device_names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->name[i], name) == 0)
			return (int)i;
	return -1;
}
