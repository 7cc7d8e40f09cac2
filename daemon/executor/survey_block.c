#include "survey_block.h"

#include "../../policy/text.h"
#include "../base/descriptors.h"
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { NODES_MAX = 8192, DEPTH_MAX = 16 };

/* What is needed while the nodes are found. */
struct search {
	const struct host *host;
	const struct class_links *links;
	struct block_nodes *nodes;
};

static int read_number(const struct host *host, const char *name, dev_t *number)
{
	char path[128];

	snprintf(path, sizeof(path), "class/block/%s/dev", name);
	return sysfs_read_device_number(host->sys, path, number);
}

static bool is_partition(const struct host *host, const char *name)
{
	char path[128];
	struct stat status;

	snprintf(path, sizeof(path), "class/block/%s/partition", name);
	return fstatat(host->sys, path, &status, 0) == 0;
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

static int add_tree(struct search *search, const char *device, const char *name, const struct block_node *below,
		    size_t disk, int depth);

/* Loop devices whose backing file is this block device itself: there is no holder link for those. */
static int add_loops(struct search *search, const struct block_node *node, size_t disk, int depth)
{
	for (size_t i = 0; i < search->links->count; i++) {
		const char *name = search->links->link[i].name;
		char path[128], file[256];
		struct stat status;
		int error;

		if (strncmp(name, "loop", 4) != 0)
			continue;
		snprintf(path, sizeof(path), "class/block/%s/loop/backing_file", name);
		if (sysfs_read(search->host->sys, path, file, sizeof(file)) < 0 || strncmp(file, "/dev/", 5) != 0 ||
		    fstatat(search->host->dev, file + 5, &status, 0) < 0 || !S_ISBLK(status.st_mode) ||
		    status.st_rdev != node->number)
			continue;
		error = add_tree(search, node->device, name, node, disk, depth + 1);
		if (error < 0)
			return error;
	}
	return 0;
}

/* What is on top of a node: its partitions, and the devices that hold it. */
static int add_above(struct search *search, const struct block_node *node, size_t disk, int depth)
{
	const struct dirent *entry;
	char path[128];
	DIR *holders;
	int error = 0;

	for (size_t i = 0; i < search->links->count && error == 0; i++) {
		const struct class_link *link = &search->links->link[i];

		if (strcmp(link->above, node->name) == 0 && is_partition(search->host, link->name))
			error = add_tree(search, node->device, link->name, node, disk, depth + 1);
	}
	snprintf(path, sizeof(path), "class/block/%s/holders", node->name);
	holders = error == 0 ? sysfs_list(search->host->sys, path) : NULL;
	while (holders && error == 0 && (entry = sysfs_next(holders)))
		if (strlen(entry->d_name) < sizeof(node->name))
			error = add_tree(search, node->device, entry->d_name, node, disk, depth + 1);
	if (holders)
		closedir(holders);
	return error == 0 ? add_loops(search, node, disk, depth) : error;
}

/* Adds a block device and all that is on it. below: what it is on; NULL: a whole disk of the function. */
static int add_tree(struct search *search, const char *device, const char *name, const struct block_node *below,
		    size_t disk, int depth)
{
	struct block_node node = { .disk = below ? disk : search->nodes->count };
	int error;

	if (depth > DEPTH_MAX)
		return -ELOOP;
	error = read_number(search->host, name, &node.number);
	if (error == -ENOENT)
		return 0; /* gone meanwhile */
	if (error < 0)
		return error;
	text_format(node.device, sizeof(node.device), "%s", device);
	text_format(node.name, sizeof(node.name), "%s", name);
	text_format(node.chain, sizeof(node.chain), "%s%s%s", below ? below->chain : "", below ? " > " : "", name);
	error = add_node(search->nodes, &node);
	return error == 0 ? add_above(search, &node, node.disk, depth) : error;
}

/*
 * With native NVMe multipath the namespace nvme0n1 hangs on no controller; each controller has a hidden path to it, called
 * nvme0c1n1.
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

int block_nodes_find(const struct host *host, const struct device *device, size_t count, struct block_nodes *out)
{
	struct class_links links;
	struct block_nodes nodes = { 0 };
	struct search search = { .host = host, .links = &links, .nodes = &nodes };
	int error = class_links_read(host, "block", &links);

	if (error < 0)
		return error;
	for (size_t i = 0; i < links.count && error == 0; i++) {
		const struct class_link *link = &links.link[i];
		char head[64];

		for (size_t k = 0; k < count && error == 0; k++) {
			if (!link->device[0] || strcmp(link->device, device[k].name) != 0)
				continue;
			if (is_nvme_path(link->name, head))
				error = add_tree(&search, link->device, head, NULL, 0, 0);
			else if (!is_partition(host, link->name))
				error = add_tree(&search, link->device, link->name, NULL, 0, 0);
		}
	}
	class_links_done(&links);
	if (error < 0)
		block_nodes_done(&nodes);
	else
		*out = nodes;
	return error;
}

/* What looks at mounts and swap has at hand. */
struct finding {
	struct block_nodes *nodes;
	struct uses *uses;
};

static int add_use(struct finding *finding, struct block_node *node, enum use_kind kind, enum severity severity,
		   const char *what)
{
	struct use use = { .kind = kind, .severity = severity };

	text_format(use.device, sizeof(use.device), "%s", node->device);
	text_format(use.text, sizeof(use.text), "%s > %s", node->chain, what);
	node->used = true;
	finding->nodes->node[node->disk].used = true;
	return uses_add(finding->uses, &use);
}

static enum severity severity_of_mount(const struct mount_entry *mount)
{
	static const char *const vital[] = { "/", "/usr", "/boot", "/boot/efi", "/var", "/etc", "/home" };

	if (mount->who)
		return SEVERITY_DISRUPTIVE;
	for (size_t i = 0; i < sizeof(vital) / sizeof(*vital); i++)
		if (strcmp(mount->point, vital[i]) == 0)
			return SEVERITY_FATAL;
	return SEVERITY_DISRUPTIVE;
}

static int on_mount(void *context, const struct mount_entry *mount)
{
	struct finding *finding = context;
	int error = 0;

	if (mount->number == 0)
		return 0;
	for (size_t i = 0; i < finding->nodes->count && error == 0; i++) {
		struct block_node *node = &finding->nodes->node[i];
		char what[TEXT_MAX], point[TEXT_MAX];

		/* The host's own mounts come first; that a container has the same disk mounted adds nothing then. */
		if (node->number != mount->number || (mount->who && node->used))
			continue;
		text_escape(point, sizeof(point), mount->point, strlen(mount->point));
		if (mount->who)
			text_format(what, sizeof(what), "mounted on %s for %s", point, mount->who);
		else
			text_format(what, sizeof(what), "mounted on %s", point);
		error = add_use(finding, node, USE_MOUNT, severity_of_mount(mount), what);
	}
	return error;
}

static int on_swap(void *context, const struct swap_entry *swap)
{
	struct finding *finding = context;
	int error = 0;

	for (size_t i = 0; i < finding->nodes->count && error == 0; i++) {
		struct block_node *node = &finding->nodes->node[i];
		char what[TEXT_MAX], file[TEXT_MAX];

		if (node->number != swap->number)
			continue;
		if (swap->file)
			text_format(what, sizeof(what), "swap file %s",
				    text_escape(file, sizeof(file), swap->file, strlen(swap->file)));
		else
			text_format(what, sizeof(what), "swap");
		error = add_use(finding, node, USE_SWAP, SEVERITY_FATAL, what);
	}
	return error;
}

/* Opens a whole disk so that nobody else can have it for himself. An FD or -errno. */
static int open_alone(const struct host *host, const struct block_node *node)
{
	char path[64];
	struct stat status;
	int fd;

	/* A slash in a device's name is a ! in sysfs: cciss!c0d0. */
	snprintf(path, sizeof(path), "%s", node->name);
	for (char *c = path; *c; c++)
		if (*c == '!')
			*c = '/';
	fd = openat(host->dev, path, O_RDONLY | O_EXCL | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0 || !S_ISBLK(status.st_mode) || status.st_rdev != node->number) {
		close(fd);
		return -ENODEV;
	}
	return fd;
}

/* True where nothing can be in use: the node or the medium is not there. */
static bool nothing_there(int error)
{
	return error == -ENOENT || error == -ENXIO || error == -ENODEV || error == -ENOMEDIUM;
}

static int add_exclusive(const struct host *host, struct finding *finding, struct block_node *node)
{
	int fd = open_alone(host, node);
	char what[TEXT_MAX];

	if (fd >= 0)
		close(fd);
	if (fd >= 0 || nothing_there(fd))
		return 0;
	if (fd == -EBUSY)
		return add_use(finding, node, USE_BLOCK, SEVERITY_DISRUPTIVE, "held open exclusively");
	text_format(what, sizeof(what), "nobody can tell: it can't be opened (%s)", strerror(-fd));
	return add_use(finding, node, USE_BLOCK, SEVERITY_DISRUPTIVE, what);
}

int survey_block(const struct host *host, struct block_nodes *nodes, bool foreign, struct uses *uses)
{
	struct finding finding = { .nodes = nodes, .uses = uses };
	int error;

	if (nodes->count == 0)
		return 0;
	error = mounts_read(host, foreign, on_mount, &finding);
	if (error == 0)
		error = swaps_read(host, on_swap, &finding);
	for (size_t i = 0; i < nodes->count && error == 0; i++)
		if (nodes->node[i].disk == i && !nodes->node[i].used)
			error = add_exclusive(host, &finding, &nodes->node[i]);
	return error;
}

int block_hold(const struct host *host, const char *device, int **fds, size_t *count, char name[static 64])
{
	struct device wanted = { .kind = DEVICE_PCI };
	struct block_nodes nodes;
	int *held, error;
	size_t held_count = 0;

	text_format(wanted.name, sizeof(wanted.name), "%s", device);
	error = block_nodes_find(host, &wanted, 1, &nodes);
	if (error < 0)
		return error;
	held = calloc(nodes.count + 1, sizeof(*held));
	error = held ? 0 : -ENOMEM;
	for (size_t i = 0; i < nodes.count && error == 0; i++) {
		if (nodes.node[i].disk != i)
			continue;
		int fd = open_alone(host, &nodes.node[i]);

		if (fd >= 0)
			held[held_count++] = fd;
		else if (!nothing_there(fd))
			error = fd;
		if (error < 0)
			text_format(name, 64, "%s", nodes.node[i].name);
	}
	block_nodes_done(&nodes);
	if (error < 0) {
		for (size_t i = 0; i < held_count; i++)
			close(held[i]);
		free(held);
		return error;
	}
	*fds = held;
	*count = held_count;
	return 0;
}
