#include "known_devices.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Where the name is, or where it belongs. */
static size_t position(const struct known_devices *known, const char *name)
{
	size_t low = 0, high = known->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(known->item[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct known_device *find(const struct known_devices *known, const char *name)
{
	size_t at = position(known, name);

	return at < known->count && strcmp(known->item[at].name, name) == 0 ? &known->item[at] : NULL;
}

const struct known_device *known_devices_find(const struct known_devices *known, const char *name)
{
	return find(known, name);
}

static int insert(struct known_devices *known, const char *name, char *physical_function)
{
	size_t at = position(known, name);
	char *copy;

	if (known->count == known->allocated) {
		size_t allocated = known->allocated ? known->allocated * 2 : 64;
		struct known_device *larger = reallocarray(known->item, allocated, sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		known->item = larger;
		known->allocated = allocated;
	}
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	memmove(&known->item[at + 1], &known->item[at], (known->count - at) * sizeof(*known->item));
	known->item[at] = (struct known_device){ .name = copy, .physical_function = physical_function, .seen = true };
	known->count++;
	return 0;
}

int known_devices_see(struct known_devices *known, const char *name, const char *physical_function)
{
	struct known_device *item = find(known, name);
	char *function = NULL;
	int error;

	if (*physical_function && !(function = strdup(physical_function)))
		return -ENOMEM;
	if (item) {
		free(item->physical_function);
		item->physical_function = function;
		item->seen = true;
		return 0;
	}
	error = insert(known, name, function);
	if (error < 0)
		free(function);
	return error;
}

void known_devices_forget(struct known_devices *known, const char *name)
{
	struct known_device *item = find(known, name);

	if (!item)
		return;
	free(item->name);
	free(item->physical_function);
	known->count--;
	memmove(item, item + 1, (size_t)(known->item + known->count - item) * sizeof(*item));
}

void known_devices_unsee(struct known_devices *known)
{
	for (size_t i = 0; i < known->count; i++)
		known->item[i].seen = false;
}

const struct known_device *known_devices_unseen(const struct known_devices *known)
{
	for (size_t i = 0; i < known->count; i++)
		if (!known->item[i].seen)
			return &known->item[i];
	return NULL;
}

void known_devices_done(struct known_devices *known)
{
	for (size_t i = 0; i < known->count; i++) {
		free(known->item[i].name);
		free(known->item[i].physical_function);
	}
	free(known->item);
	*known = (struct known_devices){ 0 };
}
