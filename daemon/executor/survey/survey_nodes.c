#include "survey_nodes.h"

#include "../../../policy/util/text.h"
#include "class_links.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int add(struct survey_nodes *nodes, const struct holder_target *target)
{
	if (nodes->count == nodes->allocated) {
		size_t allocated = nodes->allocated ? nodes->allocated * 2 : 16;
		struct holder_target *larger = reallocarray(nodes->target, allocated, sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		nodes->target = larger;
		nodes->allocated = allocated;
	}
	nodes->target[nodes->count++] = *target;
	return 0;
}

void survey_nodes_done(struct survey_nodes *nodes)
{
	free(nodes->target);
	*nodes = (struct survey_nodes){ 0 };
}

/* The nodes of a VFIO device. Without numbers, by its name alone, if the device is on its way out. */
static int add_vfio(const struct host *host, const struct device *device, struct survey_nodes *nodes)
{
	struct holder_target target = { .kind = USE_HOLDER, .mappings = true };
	char path[DEVICE_NAME_MAX + 64];
	struct stat status;

	text_format(target.device, sizeof(target.device), "%s", device->name);
	text_format(target.label, sizeof(target.label), "%s", device->vfio_node);
	snprintf(path, sizeof(path), "class/vfio-dev/%s/dev", device->vfio_node);
	sysfs_read_device_number(host->sys, path, &target.number);
	snprintf(path, sizeof(path), "class/vfio/%d/dev", device->group);
	sysfs_read_device_number(host->sys, path, &target.group);
	snprintf(path, sizeof(path), "vfio/devices/%s", device->vfio_node);
	if (fstatat(host->dev, path, &status, AT_SYMLINK_NOFOLLOW) == 0) {
		target.node_device = status.st_dev;
		target.node_inode = status.st_ino;
	}
	return add(nodes, &target);
}

static int add_block(const struct block_node *block, struct survey_nodes *nodes)
{
	struct holder_target target = { .kind = USE_BLOCK, .block = true, .number = block->number };

	text_format(target.device, sizeof(target.device), "%s", block->device);
	text_format(target.label, sizeof(target.label), "%s", block->name);
	return add(nodes, &target);
}

/* What it means that a character device is open, as its name tells. */
static enum use_kind kind_of_node(const struct class_link *link)
{
	static const char *const sound[] = { "controlC", "pcmC", "midiC", "hwC", "comprC" };

	if (strcmp(link->above, "drm") == 0)
		return USE_DISPLAY;
	for (size_t i = 0; i < sizeof(sound) / sizeof(*sound); i++)
		if (strncmp(link->name, sound[i], strlen(sound[i])) == 0)
			return USE_SOUND;
	return USE_OPEN;
}

static int add_characters(const struct class_links *links, const struct device *device, struct survey_nodes *nodes)
{
	struct class_range range = class_links_of(links, device->name);
	int error = 0;

	for (size_t i = 0; i < range.count && error == 0; i++) {
		const struct class_link *link = &range.link[i];
		struct holder_target target = { .kind = kind_of_node(link), .number = link->number };

		/* VFIO's own is looked for with its mappings, and proves more. */
		if (strcmp(link->above, "vfio-dev") == 0)
			continue;
		text_format(target.device, sizeof(target.device), "%s", device->name);
		text_format(target.label, sizeof(target.label), "%s", link->name);
		error = add(nodes, &target);
	}
	return error;
}

int survey_nodes_find(const struct host *host, const struct device *device, size_t count,
		      const struct block_nodes *blocks, struct survey_nodes *out)
{
	struct survey_nodes nodes = { 0 };
	struct class_links links = { 0 };
	bool driven = false;
	int error = 0;

	for (size_t i = 0; i < count; i++)
		driven = driven || device_is_on_host_driver(&device[i]);
	if (driven)
		error = class_links_read_nodes(host, &links);
	if (error < 0)
		return error;
	for (size_t i = 0; i < count && error == 0; i++)
		error = device_is_on_vfio(&device[i]) ? add_vfio(host, &device[i], &nodes)
						      : add_characters(&links, &device[i], &nodes);
	/* What is mounted is in use anyway, and everybody may have it open. */
	for (size_t i = 0; i < blocks->count && error == 0; i++)
		if (!blocks->node[blocks->node[i].disk].used)
			error = add_block(&blocks->node[i], &nodes);
	class_links_done(&links);
	if (error < 0)
		survey_nodes_done(&nodes);
	else
		*out = nodes;
	return error;
}
