#include "simulated_audit.h"

#include "../../policy/util/text.h"
#include "../base/descriptors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file of the simulated kernel that somebody may hold. */
struct known_file {
	ino_t inode;
	struct hold hold; /* without its process */
};

struct course {
	const struct inquiry *inquiry;
	struct known_file *file; /* sorted by inode */
	size_t count, allocated;
	struct hold *hold; /* of the process that is looked at */
	size_t hold_count, hold_allocated;
	int error;
};

static void *make_room(struct course *course, void *list, size_t count, size_t *allocated, size_t size)
{
	size_t wanted = *allocated ? *allocated * 2 : 32;
	void *larger;

	if (count < *allocated)
		return list;
	larger = reallocarray(list, wanted, size);
	if (!larger) {
		course->error = -ENOMEM;
		return NULL;
	}
	*allocated = wanted;
	return larger;
}

static void know(struct course *course, ino_t inode, const struct hold *hold)
{
	struct known_file *larger = make_room(course, course->file, course->count, &course->allocated, sizeof(*larger));

	if (!larger)
		return;
	course->file = larger;
	larger[course->count++] = (struct known_file){ .inode = inode, .hold = *hold };
}

/* The one group that has devices on VFIO; -1: there are none, or several. */
static int32_t only_group(const struct machine *machine)
{
	const struct simulated_device *device;
	int32_t group = -1;

	TAILQ_FOREACH(device, &machine->devices, link)
	{
		if (!device->on_vfio || !device->group)
			continue;
		if (group >= 0 && group != device->group->number)
			return -1;
		group = device->group->number;
	}
	return group;
}

static void know_files(struct course *course, const struct machine *machine)
{
	const struct simulated_device *device;
	const struct device_file *file;
	const struct group_file *group;

	TAILQ_FOREACH(device, &machine->devices, link)
	TAILQ_FOREACH(file, &device->files, link)
	{
		struct hold hold = { .kind = HOLD_DEVICE, .count = 1, .group = device->now.group };

		/* What was opened by a group shows no device. */
		if (file->by_group) {
			hold.group = only_group(machine);
		} else {
			memcpy(hold.device, device->now.name, sizeof(hold.device));
			text_format(hold.node, sizeof(hold.node), "vfio/devices/%s", device->now.vfio_node);
		}
		know(course, file->stand_in.inode, &hold);
	}
	TAILQ_FOREACH(group, &machine->group_files, link)
	{
		struct hold hold = { .kind = HOLD_GROUP,
				     .count = 1,
				     .group = group->group ? group->group->number : -1 };

		if (group->group)
			text_format(hold.node, sizeof(hold.node), "vfio/%d", group->group->number);
		know(course, group->stand_in.inode, &hold);
	}
	for (size_t i = 0; i < machine->contexts.allocated; i++) {
		const struct context *context = machine->contexts.slot[i].value;
		struct hold hold = { .kind = HOLD_IOMMUFD, .count = 1, .group = -1 };

		if (!machine->contexts.slot[i].name)
			continue;
		if (context->container)
			hold.kind = HOLD_CONTAINER;
		text_format(hold.node, sizeof(hold.node), "%s", context->container ? "vfio/vfio" : "iommu");
		know(course, context->stand_in.inode, &hold);
	}
}

static int by_inode(const void *a, const void *b)
{
	const struct known_file *one = a, *other = b;

	return (one->inode > other->inode) - (one->inode < other->inode);
}

static struct known_file *find_file(const struct course *course, ino_t inode)
{
	const struct known_file key = { .inode = inode };

	return course->count > 0 ? bsearch(&key, course->file, course->count, sizeof(key), by_inode) : NULL;
}

/* The socket that an FD in a folder /proc/PID/fd leads to, or 0. */
static ino_t inode_at(int folder, const char *name)
{
	char target[64];
	ssize_t length = readlinkat(folder, name, target, sizeof(target) - 1);
	unsigned long long inode;

	target[length > 0 ? length : 0] = '\0';
	return sscanf(target, "socket:[%llu]", &inode) == 1 ? (ino_t)inode : 0;
}

/* Gives each context that the broker has a copy of its claim. */
static void know_claims(struct course *course)
{
	const struct inquiry *inquiry = course->inquiry;

	for (size_t i = 0; i < inquiry->context_count; i++) {
		struct known_file *file;
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", inquiry->broker, inquiry->context[i].fd);
		file = find_file(course, inode_at(AT_FDCWD, path));
		if (file && (file->hold.kind == HOLD_IOMMUFD || file->hold.kind == HOLD_CONTAINER))
			memcpy(file->hold.claim, inquiry->context[i].claim, sizeof(file->hold.claim));
	}
}

static void add(struct course *course, const struct hold *hold)
{
	struct hold *larger;

	for (size_t i = 0; i < course->hold_count; i++) {
		struct hold *other = &course->hold[i];

		if (other->kind == hold->kind && other->group == hold->group && strcmp(other->node, hold->node) == 0 &&
		    strcmp(other->device, hold->device) == 0 && strcmp(other->claim, hold->claim) == 0) {
			other->count++;
			return;
		}
	}
	larger = make_room(course, course->hold, course->hold_count, &course->hold_allocated, sizeof(*larger));
	if (!larger)
		return;
	course->hold = larger;
	larger[course->hold_count++] = *hold;
}

static void read_files(struct course *course, int process)
{
	int folder = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = folder < 0 ? NULL : fdopendir(folder);
	struct dirent *entry;

	if (!listing) {
		if (errno == EACCES || errno == EPERM)
			course->error = -EACCES;
		descriptor_close(&folder);
		return;
	}
	while ((entry = readdir(listing))) {
		const struct known_file *file = find_file(course, inode_at(dirfd(listing), entry->d_name));

		if (file)
			add(course, &file->hold);
	}
	closedir(listing);
}

static void read_text(int process, const char *name, char *out, size_t size)
{
	autoclose int file = openat(process, name, O_RDONLY | O_CLOEXEC);
	ssize_t length = file < 0 ? 0 : read(file, out, size - 1);

	while (length > 0 && out[length - 1] == '\n')
		length--;
	out[length > 0 ? length : 0] = '\0';
}

static void look_at_process(struct course *course, pid_t pid, int process)
{
	const struct inquiry *inquiry = course->inquiry;
	char text[4096];
	const char *line;
	unsigned uid = 0;

	course->hold_count = 0;
	read_files(course, process);
	if (course->hold_count == 0)
		return;
	read_text(process, "status", text, sizeof(text));
	line = strstr(text, "\nUid:");
	if (line)
		sscanf(line, "\nUid: %*u %u", &uid);
	read_text(process, "comm", text, 32);
	for (size_t i = 0; i < course->hold_count; i++) {
		struct hold *hold = &course->hold[i];

		hold->pid = pid;
		hold->uid = uid;
		text_escape(hold->command, sizeof(hold->command), text, strlen(text));
		units_find(&inquiry->machine->units, pid, true, hold->unit);
		hold->service = pid == inquiry->broker || (pid == 1 && hold->claim[0]);
		inquiry->hold(inquiry->to, hold);
	}
}

static void look_at_processes(struct course *course)
{
	DIR *processes = opendir("/proc");
	struct dirent *entry;

	while (processes && (entry = readdir(processes))) {
		autoclose int process = -1;
		char *end;
		pid_t pid = (pid_t)strtol(entry->d_name, &end, 10);

		if (*end || pid <= 0 || pid == getpid())
			continue;
		process = openat(dirfd(processes), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (process >= 0)
			look_at_process(course, pid, process);
	}
	if (processes)
		closedir(processes);
}

/* Tells of a node that an ACL lets others open than root. */
static void tell_node(const struct inquiry *inquiry, const char *node, const struct simulated_device *device,
		      int32_t group, const struct acl *acl)
{
	struct node_access access = { .group = group, .mode = 0660 };

	text_format(access.node, sizeof(access.node), "%s", node);
	if (device)
		memcpy(access.device, device->now.name, sizeof(access.device));
	for (size_t i = 0; i < acl->count; i++) {
		if (access.user_count < NODE_USERS_MAX)
			access.user[access.user_count++] = acl->uid[i];
		else
			access.users_left_out++;
		text_append(access.acl, sizeof(access.acl), "%suser:%u:rw-", i ? "," : "", acl->uid[i]);
	}
	if (acl->count > 0)
		inquiry->access(inquiry->to, &access);
}

static void look_at_nodes(const struct inquiry *inquiry)
{
	const struct machine *machine = inquiry->machine;
	const struct simulated_device *device;
	char node[DEVICE_NAME_MAX];

	tell_node(inquiry, "vfio/vfio", NULL, -1, &machine->container_acl);
	TAILQ_FOREACH(device, &machine->devices, link)
	{
		if (!device->on_vfio)
			continue;
		if (machine->kernel.vfio_cdev)
			tell_node(inquiry, text_format(node, sizeof(node), "vfio/devices/%s", device->now.vfio_node),
				  device, device->now.group, &device->acl);
		if (machine->kernel.vfio_group)
			tell_node(inquiry, text_format(node, sizeof(node), "vfio/%d", device->now.group), NULL,
				  device->now.group, &device->acl);
	}
}

int inquiry_run(const struct inquiry *inquiry)
{
	struct course course = { .inquiry = inquiry };

	know_files(&course, inquiry->machine);
	if (course.count > 0)
		qsort(course.file, course.count, sizeof(*course.file), by_inode);
	know_claims(&course);
	if (course.count > 0)
		look_at_processes(&course);
	look_at_nodes(inquiry);
	free(course.file);
	free(course.hold);
	return course.error;
}
