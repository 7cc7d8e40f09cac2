/*
 * The devices that were told to the broker, by name: so that after lost events, or a lost watcher, those that are gone
 * can be told, too. Sorted; knows nothing else of a device but its physical function.
 */
#pragma once

#include "../../../include/words.h"

#include <stdbool.h>
#include <stddef.h>

struct known_device {
	char *name;
	char *physical_function; /* NULL: it is no virtual function */
	bool seen;               /* since the last known_devices_unsee() */
};

struct known_devices {
	struct known_device *item;
	size_t count;
	size_t allocated;
};

/* Adds the device or finds it, and marks it as seen. 0 or -ENOMEM. */
int known_devices_see(struct known_devices *known, const char *name, const char *physical_function);
/* NULL: it is not known. Valid until the next change. */
const struct known_device *known_devices_find(const struct known_devices *known, const char *name);
void known_devices_forget(struct known_devices *known, const char *name);
void known_devices_unsee(struct known_devices *known);
/* One that was not seen, or NULL. */
const struct known_device *known_devices_unseen(const struct known_devices *known);
void known_devices_done(struct known_devices *known);
