#include "device_kind.h"

#include "../util/text.h"

#include <errno.h>
#include <string.h>

const struct device_kind_row *device_kind_row(uint32_t kind)
{
	return device_kinds[kind];
}

const char *device_kind_to_string(enum device_kind kind)
{
	return (uint32_t)kind < device_kind_count ? device_kinds[kind]->text : NULL;
}

int device_kind_from_string(const char *text)
{
	for (uint32_t i = 0; text && i < device_kind_count; i++)
		if (strcmp(device_kinds[i]->text, text) == 0)
			return (int)i;
	return -EINVAL;
}

const char *device_kinds_list(char *out, size_t size)
{
	out[0] = '\0';
	for (uint32_t i = 0; i < device_kind_count; i++)
		text_append(out, size, "%s\"%s\"", i > 0 ? ", " : "", device_kinds[i]->text);
	return out;
}

/* Whatever the kinds say: it is one component of a path, and can be shown. */
static bool name_is_safe(const char *text)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:._+-";
	size_t length = strnlen(text, DEVICE_NAME_MAX);

	return length > 0 && length < DEVICE_NAME_MAX && text[0] != '.' && strspn(text, alphabet) == length;
}

bool device_name_is_valid(const char *text)
{
	for (uint32_t i = 0; name_is_safe(text) && i < device_kind_count; i++)
		if (device_kinds[i]->name_is_valid(text))
			return true;
	return false;
}

int device_name_complete(const char *text, char out[static DEVICE_NAME_MAX])
{
	if (device_name_is_valid(text)) {
		text_format(out, DEVICE_NAME_MAX, "%s", text);
		return 0;
	}
	for (uint32_t i = 0; i < device_kind_count; i++)
		if (device_kinds[i]->name_complete && device_kinds[i]->name_complete(text, out) == 0)
			return 0;
	return -EINVAL;
}
