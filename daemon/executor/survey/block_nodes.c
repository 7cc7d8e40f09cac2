#include "block_nodes.h"

#include "../../../policy/util/text.h"
#include "class_links.h"
#include "../os/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { NODES_MAX = 65536, DEPTH_MAX = 16, BACKING_FILE_MAX = 1024 };

/* A loop device, and what its backing file is or lies on. */
struct loop {
	char name[64];
	char file[BACKING_FILE_MAX];
	bool is_block;            /* the file is a block device itself */
	struct mount_place place; /* path: the file */
};

/* What is needed while the nodes are found. */
struct search {
	const struct host *host;
	struct class_links links;
	struct loop *loop;
	size_t loop_count;
	struct block_nodes nodes;
};

static int read_number(const struct host *host, const char *name, dev_t *number)
{
	char path[128];

	snprintf(path, sizeof(path), "class/block/%s/dev", name);
	return sysfs_read_device_number(host->sys, path, number);
}

static bool has_attribute(const struct host *host, const char *name, const char *attribute)
{
	char path[128];
	struct stat status;

	snprintf(path, sizeof(path), "class/block/%s/%s", name, attribute);
	return fstatat(host->sys, path, &status, 0) == 0;
}

/* An attribute as text for people, or "". */
static const char *read_text(const struct host *host, const char *name, const char *attribute, char out[static 128])
{
	char path[128];

	snprintf(path, sizeof(path), "class/block/%s/%s", name, attribute);
	if (sysfs_read(host->sys, path, out, 128) < 0)
		out[0] = '\0';
	return out;
}

static int add_node(struct block_nodes *nodes, const struct block_node *node)
{
	if (nodes->count == NODES_MAX)
		return -E2BIG;
	if (nodes->count == nodes->allocated) {
		size_t allocated = nodes->allocated ? nodes->allocated * 2 : 8;
		struct block_node *larger = reallocarray(nodes->node, allocated, sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		nodes->node = larger;
		nodes->allocated = allocated;
	}
	nodes->node[nodes->count++] = *node;
	return 0;
}

void block_nodes_done(struct block_nodes *nodes)
{
	free(nodes->node);
	*nodes = (struct block_nodes){ 0 };
}

/* What a device-mapper device is, as the beginning of its UUID tells who made it. */
static const char *mapper_kind(const char *uuid)
{
	static const char *const kinds[][2] = {
		{ "LVM-", ", LVM" },
		{ "CRYPT-", ", encrypted" },
		{ "mpath-", ", multipath" },
		{ "DMRAID-", ", RAID" },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strncmp(uuid, kinds[i][0], strlen(kinds[i][0])) == 0)
			return kinds[i][1];
	return "";
}

static const struct loop *find_loop(const struct search *search, const char *name)
{
	for (size_t i = 0; i < search->loop_count; i++)
		if (strcmp(search->loop[i].name, name) == 0)
			return &search->loop[i];
	return NULL;
}

/* Adds to the chain what tells a person more than the kernel's name: "dm-0 (vg-root, LVM)". */
static void append_label(const struct search *search, struct block_node *node)
{
	const struct loop *loop = find_loop(search, node->name);
	char text[128], uuid[128], shown[TEXT_MAX];

	text_append(node->chain, sizeof(node->chain), "%s", node->name);
	if (loop && !loop->is_block)
		text_append(node->chain, sizeof(node->chain), " (%s)",
			    text_escape(shown, sizeof(shown), loop->file, strlen(loop->file)));
	else if (strncmp(node->name, "dm-", 3) == 0 && *read_text(search->host, node->name, "dm/name", text))
		text_append(node->chain, sizeof(node->chain), " (%s%s)", text,
			    mapper_kind(read_text(search->host, node->name, "dm/uuid", uuid)));
	else if (strncmp(node->name, "md", 2) == 0 && *read_text(search->host, node->name, "md/level", text))
		text_append(node->chain, sizeof(node->chain), " (%s)", text);
}

static int add_tree(struct search *search, const struct class_link *link, const char *name,
		    const struct block_node *below, size_t disk, int depth);

/* Loop devices over this block device, or over a file that lies on it: there is no holder link for those. */
static int add_loops(struct search *search, const struct block_node *node, size_t disk, int depth)
{
	int error = 0;

	for (size_t i = 0; i < search->loop_count && error == 0; i++) {
		const struct mount_place *place = &search->loop[i].place;
		bool is_here = false;

		for (size_t k = 0; k < place->count; k++)
			is_here = is_here || (place->number[k] != 0 && place->number[k] == node->number);
		if (is_here && strcmp(search->loop[i].name, node->name) != 0)
			error = add_tree(search, NULL, search->loop[i].name, node, disk, depth + 1);
	}
	return error;
}

/* Its partitions: by the links of the function that it hangs on, or of those that hang on none. */
static int add_partitions(struct search *search, const struct block_node *node, const char *device, size_t disk,
			  int depth)
{
	struct class_range range = class_links_above(&search->links, device, node->name);
	int error = 0;

	for (size_t i = 0; i < range.count && error == 0; i++)
		if (has_attribute(search->host, range.link[i].name, "partition"))
			error = add_tree(search, NULL, range.link[i].name, node, disk, depth + 1);
	return error;
}

/* What is on top of a node: its partitions, and the devices that hold it (device mapper, RAID, bcache). */
static int add_above(struct search *search, const struct block_node *node, size_t disk, int depth)
{
	const struct dirent *entry;
	char path[128];
	DIR *holders;
	int error = add_partitions(search, node, node->device, disk, depth);

	if (error == 0)
		error = add_partitions(search, node, "", disk, depth);
	snprintf(path, sizeof(path), "class/block/%s/holders", node->name);
	holders = error == 0 ? sysfs_list(search->host->sys, path) : NULL;
	while (holders && error == 0 && (entry = sysfs_next(holders)))
		if (strlen(entry->d_name) < sizeof(node->name))
			error = add_tree(search, NULL, entry->d_name, node, disk, depth + 1);
	if (holders)
		closedir(holders);
	return error == 0 ? add_loops(search, node, disk, depth) : error;
}

/*
 * Adds a block device and all that is on it. link: of a whole disk of a function; else below: what it is on. One of
 * them is given.
 */
static int add_tree(struct search *search, const struct class_link *link, const char *name,
		    const struct block_node *below, size_t disk, int depth)
{
	struct block_node node = { .disk = below ? disk : search->nodes.count };
	int error;

	if (depth > DEPTH_MAX)
		return -ELOOP;
	error = read_number(search->host, name, &node.number);
	if (error == -ENOENT)
		return 0; /* gone meanwhile */
	if (error < 0)
		return error;
	text_format(node.device, sizeof(node.device), "%s", below ? below->device : link->device);
	text_format(node.name, sizeof(node.name), "%s", name);
	if (below)
		text_format(node.chain, sizeof(node.chain), "%s > ", below->chain);
	else if (link->usb[0])
		text_format(node.chain, sizeof(node.chain), "USB %s > ", link->usb);
	append_label(search, &node);
	error = add_node(&search->nodes, &node);
	return error == 0 ? add_above(search, &node, node.disk, depth) : error;
}

/*
 * With native NVMe multipath the namespace nvme0n1 hangs on no controller; each controller has a hidden path to it,
 * called nvme0c1n1.
 */
static bool is_nvme_path(const char *name, char head[static 64])
{
	unsigned subsystem, controller, name_space;
	int length = 0;

	if (sscanf(name, "nvme%3uc%5un%5u%n", &subsystem, &controller, &name_space, &length) != 3 ||
	    name[length] != '\0')
		return false;
	snprintf(head, 64, "nvme%un%u", subsystem, name_space);
	return true;
}

static int add_loop(struct search *search, const char *name)
{
	struct loop loop = { .is_block = false };
	struct loop *larger;
	char path[128];

	snprintf(path, sizeof(path), "class/block/%s/loop/backing_file", name);
	if (sysfs_read(search->host->sys, path, loop.file, sizeof(loop.file)) < 0 || loop.file[0] != '/')
		return 0; /* it has none, or one that can't be followed */
	larger = reallocarray(search->loop, search->loop_count + 1, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	search->loop = larger;
	text_format(loop.name, sizeof(loop.name), "%s", name);
	loop.place.number[0] = block_number(search->host, loop.file);
	loop.is_block = loop.place.number[0] != 0;
	loop.place.count = loop.is_block;
	search->loop[search->loop_count++] = loop;
	return 0;
}

/* Finds where the backing files of all loop devices lie. */
static int find_loops(struct search *search)
{
	struct class_range range = class_links_of(&search->links, "");
	struct mount_place *place;
	size_t count = 0;
	int error = 0;

	for (size_t i = 0; i < range.count && error == 0; i++)
		if (strncmp(range.link[i].name, "loop", 4) == 0 &&
		    !has_attribute(search->host, range.link[i].name, "partition"))
			error = add_loop(search, range.link[i].name);
	if (error < 0 || search->loop_count == 0)
		return error;
	place = calloc(search->loop_count, sizeof(*place));
	if (!place)
		return -ENOMEM;
	for (size_t i = 0; i < search->loop_count; i++)
		if (!search->loop[i].is_block)
			place[count++].path = search->loop[i].file;
	error = mounts_place(search->host, place, count);
	count = 0;
	for (size_t i = 0; i < search->loop_count && error == 0; i++)
		if (!search->loop[i].is_block)
			search->loop[i].place = place[count++];
	free(place);
	return error;
}

/* The whole disks of one function, and all that is on them. */
static int add_disks(struct search *search, const char *device)
{
	struct class_range range = class_links_of(&search->links, device);
	int error = 0;

	for (size_t i = 0; i < range.count && error == 0; i++) {
		const struct class_link *link = &range.link[i];
		char head[64];

		if (is_nvme_path(link->name, head))
			error = add_tree(search, link, head, NULL, 0, 0);
		else if (!has_attribute(search->host, link->name, "partition"))
			error = add_tree(search, link, link->name, NULL, 0, 0);
	}
	return error;
}

int block_nodes_find(const struct host *host, const struct device *device, size_t count, struct block_nodes *out)
{
	struct search search = { .host = host };
	bool any = false;
	int error = class_links_read(host, "block", &search.links);

	for (size_t i = 0; i < count && error == 0 && !any; i++)
		any = class_links_of(&search.links, device[i].name).count > 0;
	if (any)
		error = find_loops(&search);
	for (size_t i = 0; i < count && error == 0 && any; i++)
		error = add_disks(&search, device[i].name);
	class_links_done(&search.links);
	free(search.loop);
	if (error < 0)
		block_nodes_done(&search.nodes);
	else
		*out = search.nodes;
	return error;
}
