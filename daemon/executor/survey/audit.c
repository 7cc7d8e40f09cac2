#include "audit.h"

#include "../../../policy/model/device.h"
#include "../../../policy/util/text.h"
#include "../devices/device_kind.h"
#include "../devices/pci_device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* More different things than that one process is not told to hold. */
enum { HOLDS_MAX = 4096 };

/* The audit while it runs. */
struct course {
	struct audit *audit;
	struct vfio_nodes nodes;
	struct process_list processes;
	struct holder_target *target; /* what can be mapped: the cdevs, and behind them whatever is anonymous */
	size_t target_count;
	bool *mapped;      /* a row of target_count marks for each process */
	struct hold *hold; /* of the process that is looked at */
	size_t hold_count, hold_allocated;
	bool one_group;
	bool blind;
};

/* Whether two FDs are copies of one. -errno: that can't be told. */
static int is_same(pid_t one, int fd, pid_t other, int other_fd)
{
	long order = syscall(SYS_kcmp, one, other, KCMP_FILE, (unsigned long)fd, (unsigned long)other_fd);

	return order < 0 ? -errno : order == 0;
}

/* The claim whose context this FD is; "" none. */
static const char *claim_of(struct course *course, pid_t pid, int fd)
{
	struct audit *audit = course->audit;

	for (size_t i = 0; audit->broker > 0 && i < audit->context_count; i++) {
		int same = is_same(audit->broker, audit->context[i].fd, pid, fd);

		if (same == 1)
			return audit->context[i].claim;
		if (same == -EPERM || same == -EACCES || same == -ENOSYS)
			audit->compared = false;
	}
	return "";
}

/* Adds one FD or mapping to what the process holds. 0 or -ENOMEM. */
static int add(struct course *course, const struct hold *hold)
{
	for (size_t i = 0; i < course->hold_count; i++) {
		struct hold *other = &course->hold[i];

		if (other->kind == hold->kind && other->group == hold->group && strcmp(other->node, hold->node) == 0 &&
		    strcmp(other->device, hold->device) == 0 && strcmp(other->claim, hold->claim) == 0) {
			other->count++;
			return 0;
		}
	}
	if (course->hold_count == HOLDS_MAX)
		return 0;
	if (course->hold_count == course->hold_allocated) {
		size_t allocated = course->hold_allocated ? course->hold_allocated * 2 : 16;
		struct hold *larger = reallocarray(course->hold, allocated, sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		course->hold = larger;
		course->hold_allocated = allocated;
	}
	course->hold[course->hold_count++] = *hold;
	return 0;
}

static struct hold hold_of_node(const struct audited_node *node)
{
	struct hold hold = { .kind = node->kind, .count = 1, .group = node->group };

	memcpy(hold.node, node->node, sizeof(hold.node));
	memcpy(hold.device, node->device, sizeof(hold.device));
	return hold;
}

/* The group that everything on VFIO is in, if there is only one; else -1. */
static int32_t only_group(const struct course *course)
{
	for (size_t i = 0; course->one_group && i < course->nodes.count; i++)
		if (course->nodes.node[i].kind == HOLD_GROUP)
			return course->nodes.node[i].group;
	return -1;
}

/* A device that was opened by its group: newer kernels tell which. */
static int add_anonymous(struct course *course, pid_t pid, const char *fd)
{
	struct hold hold = { .kind = HOLD_DEVICE, .count = 1, .group = only_group(course) };
	const struct host *host = course->audit->host;
	char path[300], text[4096];

	snprintf(path, sizeof(path), "%d/fd/%s", pid, fd);
	if (sysfs_read_link(host->proc, path, text, sizeof(text)) < 0 || strcmp(text, VFIO_ANONYMOUS) != 0)
		return 0;
	if (process_fdinfo(host, pid, fd, "vfio-device-syspath:", text, sizeof(text)) &&
	    device_name_is_valid(path_last(text))) {
		int folder;

		text_format(hold.device, sizeof(hold.device), "%s", path_last(text));
		folder = device_open(host, hold.device);
		if (folder >= 0) {
			pci_device_group(folder, &hold.group);
			close(folder);
		}
	}
	return add(course, &hold);
}

/* A node that sysfs does not have any more is known by its name only: its holder keeps the driver from letting go. */
static int add_removed(struct course *course, pid_t pid, const char *fd)
{
	static const char folder[] = "/dev/vfio/", vdpa[] = "/dev/vhost-vdpa-", removed[] = " (deleted)";
	struct hold hold = { .kind = HOLD_DEVICE, .count = 1, .group = -1 };
	bool of_vdpa;
	char path[300], text[4096], *end;

	snprintf(path, sizeof(path), "%d/fd/%s", pid, fd);
	if (sysfs_read_link(course->audit->host->proc, path, text, sizeof(text)) < 0)
		return 0;
	of_vdpa = strncmp(text, vdpa, sizeof(vdpa) - 1) == 0;
	if (!of_vdpa && strncmp(text, folder, sizeof(folder) - 1) != 0)
		return 0;
	end = strstr(text, removed);
	if (end)
		*end = '\0';
	text_escape(hold.node, sizeof(hold.node), text + strlen("/dev/"), strlen(text + strlen("/dev/")));
	if (of_vdpa)
		hold.kind = HOLD_VDPA;
	else if (strncmp(hold.node, "vfio/devices/", 13) != 0)
		hold.kind = HOLD_GROUP;
	return add(course, &hold);
}

/* True for the numbers of devices that everybody has open: memory, terminals. */
static bool is_common(unsigned number)
{
	return number == 1 || number == 4 || number == 5 || (number >= 136 && number <= 143);
}

static int look_at_descriptor(struct course *course, pid_t pid, const char *fd, const struct statx *status)
{
	const struct audited_node *node;
	struct hold hold;

	if ((status->stx_mode & S_IFMT) == 0)
		return add_anonymous(course, pid, fd);
	if (!S_ISCHR(status->stx_mode))
		return 0;
	node = vfio_nodes_find(&course->nodes, makedev(status->stx_rdev_major, status->stx_rdev_minor));
	if ((!node && is_common(status->stx_rdev_major)) || process_only_names(course->audit->host, pid, fd))
		return 0;
	if (!node)
		return add_removed(course, pid, fd);
	hold = hold_of_node(node);
	if (node->kind == HOLD_IOMMUFD || node->kind == HOLD_CONTAINER)
		text_format(hold.claim, sizeof(hold.claim), "%s", claim_of(course, pid, atoi(fd)));
	return add(course, &hold);
}

static int look_at_descriptors(struct course *course, pid_t pid)
{
	const struct dirent *entry;
	char path[32];
	int error = 0;
	DIR *stream;

	snprintf(path, sizeof(path), "%d/fd", pid);
	stream = sysfs_list(course->audit->host->proc, path);
	if (!stream) {
		course->blind = course->blind || process_is_out_of_sight(errno);
		return errno == ENOENT || errno == ESRCH || process_is_out_of_sight(errno) ? 0 : -errno;
	}
	while (error == 0 && (entry = sysfs_next(stream))) {
		struct statx status;

		/* Without a sync: a file on a dead network file system must not stop us. */
		if (statx(dirfd(stream), entry->d_name, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_TYPE, &status) == 0)
			error = look_at_descriptor(course, pid, entry->d_name, &status);
		else
			course->blind = course->blind || process_is_out_of_sight(errno);
	}
	closedir(stream);
	return error;
}

/* What the marks say that the process has mapped. */
static int add_mappings(struct course *course, const bool *mapped)
{
	int error = 0;

	for (size_t i = 0; i < course->target_count && error == 0; i++) {
		struct hold hold = { .kind = HOLD_MAPPING, .count = 1, .group = only_group(course) };
		const struct audited_node *node;

		if (!mapped[i])
			continue;
		node = vfio_nodes_find(&course->nodes, course->target[i].number);
		if (node) {
			hold = hold_of_node(node);
			hold.kind = HOLD_MAPPING;
		}
		error = add(course, &hold);
	}
	return error;
}

/* What is told of a process once for all that it holds. */
static void describe(const struct course *course, pid_t pid, struct hold *hold)
{
	const struct audit *audit = course->audit;
	bool own = pid == audit->broker || process_is_ours(audit->host, pid);
	uid_t uid = 0;

	hold->pid = pid;
	process_uid(audit->host, pid, &uid);
	hold->uid = uid;
	process_name(audit->host, pid, hold->command);
	process_unit(audit->host, pid, true, hold->unit);
	hold->service = own || (pid == 1 && hold->claim[0]);
}

static int look_at_process(struct course *course, size_t index)
{
	pid_t pid = course->processes.pid[index];
	int error;

	course->hold_count = 0;
	error = look_at_descriptors(course, pid);
	if (error == 0)
		error = add_mappings(course, course->mapped + index * course->target_count);
	for (size_t i = 0; i < course->hold_count && error == 0; i++) {
		describe(course, pid, &course->hold[i]);
		error = course->audit->hold(course->audit->to, &course->hold[i]);
	}
	return error;
}

/* What can be mapped: every cdev by its node, and what is anonymous by that it is called so. */
static int make_targets(struct course *course)
{
	course->target = calloc(course->nodes.count + 1, sizeof(*course->target));
	if (!course->target)
		return -ENOMEM;
	for (size_t i = 0; i < course->nodes.count; i++) {
		const struct audited_node *node = &course->nodes.node[i];
		struct holder_target *target = &course->target[course->target_count];
		struct stat status;

		if (node->kind != HOLD_DEVICE)
			continue;
		target->mappings = true;
		target->number = node->number;
		text_format(target->label, sizeof(target->label), "%s", path_last(node->node));
		if (fstatat(course->audit->host->dev, node->node, &status, AT_SYMLINK_NOFOLLOW) == 0) {
			target->node_device = status.st_dev;
			target->node_inode = status.st_ino;
		}
		course->target_count++;
	}
	course->target[course->target_count].mappings = true;
	text_format(course->target[course->target_count].label, sizeof(course->target->label), "%s", VFIO_ANONYMOUS);
	course->target_count++;
	return 0;
}

static int search_mappings(struct course *course)
{
	struct mapping_search search = { .host = course->audit->host,
					 .target = course->target,
					 .count = course->target_count,
					 .processes = &course->processes,
					 .timed_call = course->audit->timed_call };
	int error;

	course->mapped = calloc(course->processes.count * course->target_count + 1, sizeof(*course->mapped));
	if (!course->mapped)
		return -ENOMEM;
	search.held = course->mapped;
	error = mappings_find(&search);
	course->blind = course->blind || search.blind;
	return error;
}

int audit_run(struct audit *audit)
{
	struct course course = { .audit = audit, .one_group = vfio_has_one_group(audit->host) };
	int error = vfio_nodes_read(audit->host, &course.nodes);

	audit->compared = audit->broker > 0 && is_same(audit->broker, 0, audit->broker, 0) != -ENOSYS;
	if (error == 0)
		error = make_targets(&course);
	if (error == 0)
		error = process_list(audit->host, &course.processes);
	if (error == 0)
		error = search_mappings(&course);
	for (size_t i = 0; i < course.processes.count && error == 0; i++)
		error = look_at_process(&course, i);
	if (error == 0)
		error = node_access_find(audit->host, &course.nodes, audit->access, audit->to);
	vfio_nodes_done(&course.nodes);
	process_list_done(&course.processes);
	free(course.target);
	free(course.mapped);
	free(course.hold);
	return error == 0 && course.blind ? -EACCES : error;
}
