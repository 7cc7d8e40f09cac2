#include "survey_block.h"

#include "../../../policy/util/text.h"
#include "../../base/descriptors.h"
#include "../os/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What looks at mounts and swap has at hand. */
struct finding {
	const struct host *host;
	struct block_nodes *nodes;
	struct block_node **by_number; /* as many as there are nodes, sorted */
	struct uses *uses;
};

static int add_use(struct finding *finding, struct block_node *node, enum use_kind kind, enum severity severity,
		   const char *what)
{
	struct use use = { .kind = kind, .severity = severity };
	size_t chain = strlen(node->chain), end = strlen(what) + strlen(" > ");

	text_format(use.device, sizeof(use.device), "%s", node->device);
	/* Where both don't fit, it is the middle that is left out: the end is what counts. */
	if (chain + end < sizeof(use.text))
		text_format(use.text, sizeof(use.text), "%s > %s", node->chain, what);
	else
		text_format(use.text, sizeof(use.text), "%s > ... > %s", finding->nodes->node[node->disk].chain, what);
	node->used = true;
	finding->nodes->node[node->disk].used = true;
	return uses_add(finding->uses, &use);
}

static int compare_numbers(const void *a, const void *b)
{
	const struct block_node *const *one = a, *const *other = b;

	if ((*one)->number != (*other)->number)
		return (*one)->number < (*other)->number ? -1 : 1;
	/* In the order in which they were found. */
	return *one < *other ? -1 : *one > *other;
}

/* The nodes that have this device number: a device on several disks is found once on each. */
static struct block_node **find_nodes(const struct finding *finding, dev_t number, size_t *count)
{
	size_t low = 0, high = finding->nodes->count, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (finding->by_number[middle]->number < number)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < finding->nodes->count && finding->by_number[end]->number == number; end++)
		;
	*count = end - low;
	return finding->by_number + low;
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
	char what[TEXT_MAX], point[TEXT_MAX / 2];
	struct block_node **node;
	size_t count;
	int error = 0;

	if (mount->number == 0)
		return 0;
	node = find_nodes(finding, mount->number, &count);
	for (size_t i = 0; i < count && error == 0; i++) {
		/* The host's own mounts come first; that a container has the same disk mounted adds nothing then. */
		if (mount->who && node[i]->used)
			continue;
		text_escape(point, sizeof(point), mount->point, strlen(mount->point));
		if (mount->who)
			text_format(what, sizeof(what), "mounted on %s for %s", point, mount->who);
		else
			text_format(what, sizeof(what), "mounted on %s", point);
		error = add_use(finding, node[i], USE_MOUNT, severity_of_mount(mount), what);
	}
	return error;
}

static int on_swap(void *context, const struct swap_entry *swap)
{
	struct finding *finding = context;
	char what[TEXT_MAX], file[TEXT_MAX / 2];
	struct block_node **node;
	size_t count;
	int error = 0;

	node = find_nodes(finding, swap->number, &count);
	for (size_t i = 0; i < count && error == 0; i++) {
		if (swap->file)
			text_format(what, sizeof(what), "swap file %s",
				    text_escape(file, sizeof(file), swap->file, strlen(swap->file)));
		else
			text_format(what, sizeof(what), "swap");
		error = add_use(finding, node[i], USE_SWAP, SEVERITY_FATAL, what);
	}
	return error;
}

/* The block device that resume= names on the kernel's command line, or 0. */
static dev_t read_resume_argument(const struct host *host)
{
	static const char *const forms[][2] = {
		{ "UUID=", "/dev/disk/by-uuid/" },
		{ "PARTUUID=", "/dev/disk/by-partuuid/" },
		{ "LABEL=", "/dev/disk/by-label/" },
		{ "PARTLABEL=", "/dev/disk/by-partlabel/" },
	};
	char line[4096], *rest = line, *word, path[300];
	dev_t number = 0;

	if (sysfs_read(host->proc, "cmdline", line, sizeof(line)) < 0)
		return 0;
	while ((word = strsep(&rest, " "))) {
		if (strncmp(word, "resume=", 7) != 0 || strstr(word, ".."))
			continue;
		word += 7;
		number = block_number(host, word);
		for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
			size_t length = strlen(forms[i][0]);

			if (strncmp(word, forms[i][0], length) != 0 || strchr(word, '/') || strlen(word) > 200)
				continue;
			snprintf(path, sizeof(path), "%s%s", forms[i][1], word + length);
			number = block_number(host, path);
		}
	}
	return number;
}

static int add_hibernation(struct finding *finding)
{
	dev_t number[2] = { 0, read_resume_argument(finding->host) };
	int error = 0;

	sysfs_read_device_number(finding->host->sys, "power/resume", &number[0]);
	for (size_t i = 0; i < 2 && error == 0; i++) {
		struct block_node **node;
		size_t count;

		if (number[i] == 0 || (i > 0 && number[i] == number[0]))
			continue;
		node = find_nodes(finding, number[i], &count);
		for (size_t k = 0; k < count && error == 0; k++) {
			/* Nobody has it open for that, so it does not say that the disk is in use in another way. */
			bool used = node[k]->used, disk_used = finding->nodes->node[node[k]->disk].used;

			error = add_use(finding, node[k], USE_HIBERNATION, SEVERITY_DISRUPTIVE, "hibernation");
			node[k]->used = used;
			finding->nodes->node[node[k]->disk].used = disk_used;
		}
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
	text_format(what, sizeof(what), "unknown: it cannot be opened (%s)", strerror(-fd));
	return add_use(finding, node, USE_BLOCK, SEVERITY_DISRUPTIVE, what);
}

int survey_block(const struct host *host, struct block_nodes *nodes, bool foreign, struct uses *uses)
{
	struct finding finding = { .host = host, .nodes = nodes, .uses = uses };
	int error;

	if (nodes->count == 0)
		return 0;
	finding.by_number = calloc(nodes->count, sizeof(*finding.by_number));
	if (!finding.by_number)
		return -ENOMEM;
	for (size_t i = 0; i < nodes->count; i++)
		finding.by_number[i] = &nodes->node[i];
	qsort(finding.by_number, nodes->count, sizeof(*finding.by_number), compare_numbers);
	error = mounts_read(host, foreign, on_mount, &finding);
	if (error == 0)
		error = swaps_read(host, on_swap, &finding);
	if (error == 0)
		error = add_hibernation(&finding);
	for (size_t i = 0; i < nodes->count && error == 0; i++)
		if (nodes->node[i].disk == i && !nodes->node[i].used)
			error = add_exclusive(host, &finding, &nodes->node[i]);
	free(finding.by_number);
	return error;
}

int block_hold(const struct host *host, const char *device, int **fds, size_t *count, char name[static 64])
{
	struct device wanted = { .name = "" };
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
