/*
 * What the kernel's events say of devices, gathered until they are looked at: a driver that comes or goes makes
 * several for one of them, which is read once then. Pure.
 *
 * An event "remove" comes before the kernel takes the folder out of sysfs, and nothing comes after it: whoever reads
 * the folder at once may find it, and would believe in it for ever. So what is being removed is kept here.
 */
#pragma once

#include "../../../include/words.h"

#include <stdbool.h>
#include <stddef.h>

enum { DEVICE_EVENTS_MAX = 64 };

struct device_event {
	char name[DEVICE_NAME_MAX];
	bool removed;          /* the device is; it has not come back since */
	char removed_node[32]; /* the node in its vfio-dev/ folder that is, "vfio0"; "": none, or it is there again */
};

/* All zero: there are none. */
struct device_events {
	struct device_event event[DEVICE_EVENTS_MAX];
	size_t count;
};

/*
 * Notes an event of a device, or of a node in its vfio-dev/ folder; others are left out. There has to be place:
 * count is below DEVICE_EVENTS_MAX. action, subsystem and path (DEVPATH) as the kernel writes them; any may be NULL.
 */
void device_events_note(struct device_events *events, const char *action, const char *subsystem, const char *path);
