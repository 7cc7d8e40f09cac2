#include "holders.h"

#include "../base/descriptors.h"
#include "../base/log.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* A process whose memory map takes longer to read is stopped in the middle of changing it. */
enum { MAPS_PATIENCE_MSEC = 500 };

/* The search of one /proc; the marks are of the process that is looked at. */
struct search {
	const struct host *host;
	const struct holder_target *target;
	size_t count;
	struct patience *patience;
	bool *held;
	bool any_character; /* a target is a character device: those can be mapped */
	bool blind;         /* a process could not be looked into */
};

/* A copy of what the maps are searched for, with the marks: a thread that hangs keeps it. */
struct maps_task {
	int file;
	size_t count;
	struct {
		struct holder_target target;
		bool held;
	} item[];
};

static bool is_node(const struct holder_target *target, const struct statx *status)
{
	dev_t number = makedev(status->stx_rdev_major, status->stx_rdev_minor);

	if (S_ISBLK(status->stx_mode))
		return target->block && number == target->number;
	return S_ISCHR(status->stx_mode) && !target->block &&
	       (number == target->number || (target->group != 0 && number == target->group));
}

/*
 * Marks the target that an anonymous FD of legacy VFIO is of. They look all alike; newer kernels tell the device in
 * fdinfo.
 */
static void mark_anonymous(struct search *search, pid_t pid, const char *fd)
{
	char path[300], target[64], *line = NULL;
	size_t size = 0;
	FILE *stream;

	snprintf(path, sizeof(path), "%d/fd/%s", pid, fd);
	if (sysfs_read_link(search->host->proc, path, target, sizeof(target)) < 0 ||
	    strcmp(target, "anon_inode:[vfio-device]") != 0)
		return;
	snprintf(path, sizeof(path), "%d/fdinfo/%s", pid, fd);
	stream = sysfs_lines(search->host->proc, path);
	if (!stream)
		return;
	while (getline(&line, &size, stream) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "vfio-device-syspath:", 20) != 0)
			continue;
		for (size_t i = 0; i < search->count; i++)
			if (!search->target[i].block && strcmp(path_last(line), search->target[i].device) == 0)
				search->held[i] = true;
	}
	free(line);
	fclose(stream);
}

/* True for an FD that only names its file (O_PATH), as udev has them of nodes that come: it holds no device. */
static bool only_names(const struct search *search, pid_t pid, const char *fd)
{
	char path[300], *line = NULL;
	size_t size = 0;
	bool names = false;
	FILE *stream;

	snprintf(path, sizeof(path), "%d/fdinfo/%s", pid, fd);
	stream = sysfs_lines(search->host->proc, path);
	while (stream && getline(&line, &size, stream) > 0)
		if (strncmp(line, "flags:", 6) == 0)
			names = (strtoul(line + 6, NULL, 8) & O_PATH) != 0;
	free(line);
	if (stream)
		fclose(stream);
	return names;
}

static int mark_descriptors(struct search *search, pid_t pid)
{
	char path[32];
	const struct dirent *entry;
	DIR *stream;

	snprintf(path, sizeof(path), "%d/fd", pid);
	stream = sysfs_list(search->host->proc, path);
	if (!stream)
		return errno == ENOENT || errno == ESRCH ? 0 : -errno;
	while ((entry = sysfs_next(stream))) {
		struct statx status;

		/* Without a sync: a file on a dead network file system must not stop us. */
		if (statx(dirfd(stream), entry->d_name, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_TYPE, &status) < 0) {
			if (errno == EACCES || errno == EPERM)
				search->blind = true;
			continue;
		}
		if ((status.stx_mode & S_IFMT) == 0) {
			mark_anonymous(search, pid, entry->d_name);
			continue;
		}
		for (size_t i = 0; i < search->count; i++)
			if (is_node(&search->target[i], &status) && !only_names(search, pid, entry->d_name))
				search->held[i] = true;
	}
	closedir(stream);
	return 0;
}

/* True for a line of maps that maps the target: "7f00-7f01 rw-s 00000000 00:05 123   /dev/vfio/devices/vfio0". */
static bool is_mapping(const struct holder_target *target, const char *line)
{
	unsigned high, low;
	unsigned long inode;
	int path = 0;
	size_t length = strlen(target->label);
	const char *name;

	if (sscanf(line, "%*s %*s %*s %x:%x %lu %n", &high, &low, &inode, &path) < 3 || inode == 0)
		return false;
	if (target->node_inode != 0 && inode == target->node_inode && makedev(high, low) == target->node_device)
		return true;
	/* The node in another tree than ours, or removed already. */
	name = path > 0 ? path_last(line + path) : "";
	return strncmp(name, target->label, length) == 0 && (name[length] == '\0' || name[length] == ' ');
}

static int run_maps(void *context)
{
	struct maps_task *task = context;
	FILE *stream = fdopen(dup(task->file), "re");
	char *line = NULL;
	size_t size = 0;

	if (!stream)
		return -errno;
	while (getline(&line, &size, stream) > 0) {
		const char *mode = strchr(line, ' ');

		/* Only shared mappings of a device are possible. */
		if (!mode || strlen(mode) < 5 || mode[4] != 's')
			continue;
		line[strcspn(line, "\n")] = '\0';
		for (size_t i = 0; i < task->count; i++)
			if (is_mapping(&task->item[i].target, line))
				task->item[i].held = true;
	}
	free(line);
	fclose(stream);
	return 0;
}

static void free_maps(void *context)
{
	struct maps_task *task = context;

	close(task->file);
	free(task);
}

/* Marks the character devices that the process has mapped. */
static int mark_mappings(struct search *search, pid_t pid)
{
	struct maps_task *task;
	char path[32];
	struct patience_task job = { .key = path, .run = run_maps, .free = free_maps };
	int error;

	task = calloc(1, sizeof(*task) + search->count * sizeof(task->item[0]));
	if (!task)
		return -ENOMEM;
	snprintf(path, sizeof(path), "%d/maps", pid);
	task->file = openat(search->host->proc, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (task->file < 0) {
		search->blind = search->blind || errno == EACCES || errno == EPERM;
		free(task);
		return 0;
	}
	task->count = search->count;
	for (size_t i = 0; i < search->count; i++)
		task->item[i].target = search->target[i];
	error = patience_run(search->patience, &job, MAPS_PATIENCE_MSEC, task);
	if (error == -ETIMEDOUT) {
		log_warning("process %d can't be looked into: its memory map is locked. Mappings of it are not seen", pid);
		return 0;
	}
	for (size_t i = 0; i < search->count; i++)
		if (task->item[i].held && !search->target[i].block)
			search->held[i] = true;
	free_maps(task);
	return error == -ENOMEM ? error : 0;
}

/*
 * True for a process of this executor: a binder has the FDs of a claim still for a moment after it has sent them, and the
 * main process passes them on.
 */
static bool is_ours(const struct search *search, pid_t pid)
{
	pid_t main_process = getppid();

	return pid == main_process || process_parent(search->host, pid) == main_process;
}

/* True for what has no program: a kernel thread, or a process that is only waited for. It holds nothing. */
static bool has_no_program(const struct search *search, pid_t pid)
{
	char path[32], program[1];

	snprintf(path, sizeof(path), "%d/exe", pid);
	return readlinkat(search->host->proc, path, program, sizeof(program)) < 0 && errno == ENOENT;
}

static int look_into(struct search *search, pid_t pid, holder_found found, void *context)
{
	int result;

	if (has_no_program(search, pid))
		return 0;
	memset(search->held, 0, search->count * sizeof(*search->held));
	result = mark_descriptors(search, pid);
	if (result == -EACCES || result == -EPERM) {
		search->blind = true;
		return 0;
	}
	if (result == 0 && search->any_character)
		result = mark_mappings(search, pid);
	for (size_t i = 0; i < search->count && result == 0; i++)
		if (search->held[i] && !is_ours(search, pid))
			result = found(context, &search->target[i], pid);
	return result;
}

int holders_find(const struct host *host, const struct holder_target *target, size_t count, struct patience *patience,
		 holder_found found, void *context)
{
	struct search search = { .host = host, .target = target, .count = count, .patience = patience };
	pid_t pid, own = getpid();
	DIR *processes;
	int result = 0;

	if (count == 0)
		return 0;
	for (size_t i = 0; i < count; i++)
		search.any_character = search.any_character || !target[i].block;
	processes = sysfs_list(host->proc, ".");
	if (!processes)
		return -errno;
	search.held = calloc(count, sizeof(*search.held));
	if (!search.held)
		result = -ENOMEM;
	while (result == 0 && (pid = process_next(processes)))
		if (pid != own)
			result = look_into(&search, pid, found, context);
	free(search.held);
	closedir(processes);
	return result == 0 && search.blind ? -EACCES : result;
}
