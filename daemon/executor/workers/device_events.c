#include "device_events.h"

#include "../../../policy/model/device.h"
#include "../devices/device_kind.h"

#include <string.h>

/* The end of a part of a path: the next slash, or the end of all. */
static size_t part_length(const char *part)
{
	return strcspn(part, "/");
}

/* The device's event; a new one if there is none yet. NULL: this is no device's name. */
static struct device_event *find(struct device_events *events, const char *name, size_t length)
{
	struct device_event *event = &events->event[events->count];

	if (length >= sizeof(event->name))
		return NULL;
	*event = (struct device_event){ .removed = false };
	memcpy(event->name, name, length);
	if (!device_name_is_valid(event->name))
		return NULL;
	for (size_t i = 0; i < events->count; i++)
		if (strcmp(events->event[i].name, event->name) == 0)
			return &events->event[i];
	events->count++;
	return event;
}

static void note_device(struct device_events *events, const char *action, const char *path)
{
	const char *last = strrchr(path, '/');
	struct device_event *event = last ? find(events, last + 1, strlen(last + 1)) : NULL;

	if (!event)
		return;
	if (strcmp(action, "remove") == 0) {
		event->removed = true;
		event->removed_node[0] = '\0';
	} else if (strcmp(action, "add") == 0) {
		event->removed = false;
	}
}

static void note_node(struct device_events *events, const char *action, const char *path)
{
	static const char folder[] = "/vfio-dev/";
	const char *end = strstr(path, folder), *name = end, *node;
	struct device_event *event;

	if (!end)
		return;
	while (name > path && name[-1] != '/')
		name--;
	node = end + strlen(folder);
	event = find(events, name, (size_t)(end - name));
	if (!event)
		return;
	if (strcmp(action, "remove") == 0 && part_length(node) < sizeof(event->removed_node)) {
		memcpy(event->removed_node, node, part_length(node));
		event->removed_node[part_length(node)] = '\0';
	} else if (strcmp(action, "add") == 0) {
		event->removed_node[0] = '\0';
	}
}

static bool is_bus(const char *subsystem)
{
	for (unsigned i = 0; device_bus(i); i++)
		if (strcmp(device_bus(i), subsystem) == 0)
			return true;
	return false;
}

void device_events_note(struct device_events *events, const char *action, const char *subsystem, const char *path)
{
	if (!action || !subsystem || !path)
		return;
	if (is_bus(subsystem))
		note_device(events, action, path);
	else if (strcmp(subsystem, "vfio-dev") == 0)
		note_node(events, action, path);
}
