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

/*
 * A process whose memory map takes longer to read is stopped in the middle of changing it. The maps of so many processes
 * are read by one call of a thread, which costs more than the reading.
 */
enum { MAPS_PATIENCE_MSEC = 500, MAPS_BATCH_PATIENCE_MSEC = 2000, MAPS_BATCH = 64 };

/* The search of one /proc. */
struct search {
	const struct host *host;
	const struct holder_target *target;
	size_t count;
	struct patience *patience;
	holder_found found;
	void *context;
	pid_t *pid;         /* the processes there are, kernel threads apart */
	size_t pid_count;
	bool *held;         /* pid_count rows of count marks */
	bool blind;         /* a process could not be looked into */
	bool one_group;     /* VFIO has one group only: what is anonymous is of that */
};

/* Some processes whose maps are searched, with copies of all that is needed: a thread that hangs keeps it. */
struct maps_task {
	int proc;
	pid_t pid[MAPS_BATCH];
	size_t pid_count;
	size_t count;
	bool blind;
	bool one_group;
	struct holder_target *target; /* count of them */
	bool *held;                   /* pid_count rows of count marks */
	char text[16 * 1024];
};

static bool is_node(const struct holder_target *target, const struct statx *status)
{
	dev_t number = makedev(status->stx_rdev_major, status->stx_rdev_minor);

	if (S_ISBLK(status->stx_mode))
		return target->block && number == target->number;
	return S_ISCHR(status->stx_mode) && !target->block &&
	       (number == target->number || (target->group != 0 && number == target->group));
}

/* A line of an FD's fdinfo that begins like this, without the beginning; false: there is none. */
static bool read_fdinfo(const struct search *search, pid_t pid, const char *fd, const char *beginning, char *out,
			size_t size)
{
	char path[300];

	snprintf(path, sizeof(path), "%d/fdinfo/%s", pid, fd);
	return sysfs_find_line(search->host->proc, path, beginning, out, size);
}

/* True for an FD that only names its file, as udev has one for a moment: the driver knows nothing of it. */
static bool only_names(const struct search *search, pid_t pid, const char *fd)
{
	char flags[32];

	return read_fdinfo(search, pid, fd, "flags:\t", flags, sizeof(flags)) && (strtoul(flags, NULL, 8) & O_PATH);
}

/* What an FD, or a mapping, of a device that was opened by its group looks like, whichever device it is. */
static const char anonymous[] = "anon_inode:[vfio-device]";

/*
 * Marks the target that an anonymous FD of legacy VFIO is of. They look all alike; newer kernels tell the device in
 * fdinfo, and with others it is sure only where there is one group: all its devices are held together.
 */
static void mark_anonymous(const struct search *search, pid_t pid, const char *fd, bool *held)
{
	char path[300], text[4096];

	snprintf(path, sizeof(path), "%d/fd/%s", pid, fd);
	if (sysfs_read_link(search->host->proc, path, text, sizeof(text)) < 0 || strcmp(text, anonymous) != 0)
		return;
	if (!read_fdinfo(search, pid, fd, "vfio-device-syspath:", text, sizeof(text)))
		text[0] = '\0';
	for (size_t i = 0; i < search->count; i++)
		if (search->target[i].mappings && (text[0] ? strcmp(path_last(text), search->target[i].device) == 0
							    : search->one_group && search->target[i].group != 0))
			held[i] = true;
}

static bool means_blind(int error)
{
	return error == EACCES || error == EPERM;
}

static int mark_descriptors(struct search *search, pid_t pid, bool *held)
{
	char path[32];
	const struct dirent *entry;
	DIR *stream;

	snprintf(path, sizeof(path), "%d/fd", pid);
	stream = sysfs_list(search->host->proc, path);
	if (!stream) {
		search->blind = search->blind || means_blind(errno);
		return errno == ENOENT || errno == ESRCH || means_blind(errno) ? 0 : -errno;
	}
	while ((entry = sysfs_next(stream))) {
		struct statx status;

		/* Without a sync: a file on a dead network file system must not stop us. */
		if (statx(dirfd(stream), entry->d_name, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_TYPE, &status) < 0) {
			search->blind = search->blind || means_blind(errno);
			continue;
		}
		if ((status.stx_mode & S_IFMT) == 0)
			mark_anonymous(search, pid, entry->d_name, held);
		for (size_t i = 0; i < search->count; i++)
			if (is_node(&search->target[i], &status) && !only_names(search, pid, entry->d_name))
				held[i] = true;
	}
	closedir(stream);
	return 0;
}

/* True for a line of maps that maps the target: "7f00-7f01 rw-s 00000000 00:05 123   /dev/vfio/devices/vfio0". */
static bool is_mapping(const struct holder_target *target, const char *line, bool one_group)
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
	if (path > 0 && one_group && target->group != 0 && strcmp(line + path, anonymous) == 0)
		return true;
	name = path > 0 ? path_last(line + path) : "";
	return strncmp(name, target->label, length) == 0 && (name[length] == '\0' || name[length] == ' ');
}

static void mark_line(struct maps_task *task, const char *line, bool *held)
{
	const char *mode = strchr(line, ' ');

	/* Only shared mappings of a device are possible. */
	if (!mode || strlen(mode) < 5 || mode[4] != 's')
		return;
	for (size_t i = 0; i < task->count; i++)
		if (task->target[i].mappings && is_mapping(&task->target[i], line, task->one_group))
			held[i] = true;
}

static void mark_mappings(struct maps_task *task, pid_t pid, bool *held)
{
	char path[32], *text = task->text;
	size_t kept = 0;

	snprintf(path, sizeof(path), "%d/maps", pid);
	autoclose int fd = openat(task->proc, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0) {
		task->blind = task->blind || means_blind(errno);
		return;
	}
	for (;;) {
		ssize_t got = read(fd, text + kept, sizeof(task->text) - 1 - kept);
		char *line = text, *end;

		if (got <= 0)
			return;
		text[kept + (size_t)got] = '\0';
		while ((end = strchr(line, '\n'))) {
			*end = '\0';
			mark_line(task, line, held);
			line = end + 1;
		}
		kept = strlen(line);
		/* A line that fills everything is none of the kernel's. */
		if (kept == sizeof(task->text) - 1)
			kept = 0;
		memmove(text, line, kept);
	}
}

static int run_maps(void *context)
{
	struct maps_task *task = context;

	for (size_t i = 0; i < task->pid_count; i++)
		mark_mappings(task, task->pid[i], task->held + i * task->count);
	return 0;
}

static void free_maps(void *context)
{
	struct maps_task *task = context;

	close(task->proc);
	free(task->target);
	free(task->held);
	free(task);
}

static struct maps_task *new_maps(const struct search *search, size_t first, size_t pid_count)
{
	struct maps_task *task = calloc(1, sizeof(*task));

	if (!task)
		return NULL;
	task->proc = fcntl(search->host->proc, F_DUPFD_CLOEXEC, 3);
	task->pid_count = pid_count;
	memcpy(task->pid, search->pid + first, pid_count * sizeof(*task->pid));
	task->count = search->count;
	task->one_group = search->one_group;
	task->target = calloc(search->count, sizeof(*task->target));
	task->held = calloc(pid_count * search->count, sizeof(*task->held));
	if (task->proc < 0 || !task->target || !task->held) {
		free_maps(task);
		return NULL;
	}
	memcpy(task->target, search->target, search->count * sizeof(*task->target));
	return task;
}

/* Searches the maps of some processes, in one call. 0, -ETIMEDOUT: at least one of them can't be read; -ENOMEM. */
static int search_maps(struct search *search, size_t first, size_t pid_count, unsigned patience)
{
	struct maps_task *task = new_maps(search, first, pid_count);
	char key[32];
	struct patience_task job = { .key = key, .run = run_maps, .free = free_maps };
	int error;

	if (!task)
		return -ENOMEM;
	snprintf(key, sizeof(key), "maps of %d to %d", task->pid[0], task->pid[pid_count - 1]);
	error = patience_run(search->patience, &job, patience, task);
	if (error == -ETIMEDOUT)
		return error;
	search->blind = search->blind || task->blind;
	for (size_t i = 0; i < pid_count * search->count; i++)
		search->held[first * search->count + i] |= task->held[i];
	free_maps(task);
	return error;
}

/* All at once; if that hangs, one by one, to leave out those that do. */
static int search_all_maps(struct search *search)
{
	int error = 0;

	for (size_t first = 0; first < search->pid_count && error == 0; first += MAPS_BATCH) {
		size_t left = search->pid_count - first, batch = left < MAPS_BATCH ? left : MAPS_BATCH;

		error = search_maps(search, first, batch, MAPS_BATCH_PATIENCE_MSEC);
		if (error != -ETIMEDOUT)
			continue;
		error = 0;
		for (size_t i = 0; i < batch && error == 0; i++) {
			error = search_maps(search, first + i, 1, MAPS_PATIENCE_MSEC);
			if (error != -ETIMEDOUT)
				continue;
			log_warning("process %d can't be looked into, its memory map is locked: mappings of it are not seen",
				    search->pid[first + i]);
			error = 0;
		}
	}
	return error;
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

/* A kernel thread has no program, and holds nothing. */
static bool is_kernel_thread(const struct host *host, pid_t pid)
{
	char path[32], program[1];

	snprintf(path, sizeof(path), "%d/exe", pid);
	return readlinkat(host->proc, path, program, sizeof(program)) < 0 && errno == ENOENT;
}

static int list_processes(struct search *search)
{
	DIR *processes = sysfs_list(search->host->proc, ".");
	pid_t pid, own = getpid();
	size_t allocated = 0;
	int error = 0;

	if (!processes)
		return -errno;
	while (error == 0 && (pid = process_next(processes))) {
		if (pid == own || is_kernel_thread(search->host, pid))
			continue;
		if (search->pid_count == allocated) {
			pid_t *larger;

			allocated = allocated ? allocated * 2 : 64;
			larger = reallocarray(search->pid, allocated, sizeof(*larger));
			if (!larger) {
				error = -ENOMEM;
				break;
			}
			search->pid = larger;
		}
		search->pid[search->pid_count++] = pid;
	}
	closedir(processes);
	return error;
}

static bool has_one_group(const struct host *host)
{
	DIR *stream = sysfs_list(host->sys, "class/vfio");
	const struct dirent *entry;
	unsigned count = 0;

	/* The container is of another class. */
	while (stream && (entry = sysfs_next(stream)))
		count++;
	if (stream)
		closedir(stream);
	return count == 1;
}

static int report(const struct search *search)
{
	int result = 0;

	for (size_t i = 0; i < search->pid_count && result == 0; i++)
		for (size_t k = 0; k < search->count && result == 0; k++)
			if (search->held[i * search->count + k] && !is_ours(search, search->pid[i]))
				result = search->found(search->context, &search->target[k], search->pid[i]);
	return result;
}

int holders_find(const struct host *host, const struct holder_target *target, size_t count, struct patience *patience,
		 holder_found found, void *context)
{
	struct search search = { .host = host, .target = target, .count = count, .patience = patience, .found = found,
				 .context = context };
	bool mappable = false;
	int error;

	if (count == 0)
		return 0;
	search.one_group = has_one_group(host);
	for (size_t i = 0; i < count; i++)
		mappable = mappable || target[i].mappings;
	error = list_processes(&search);
	if (error == 0) {
		search.held = calloc(search.pid_count * count + 1, sizeof(*search.held));
		error = search.held ? 0 : -ENOMEM;
	}
	for (size_t i = 0; i < search.pid_count && error == 0; i++)
		error = mark_descriptors(&search, search.pid[i], search.held + i * count);
	if (error == 0 && mappable)
		error = search_all_maps(&search);
	if (error == 0)
		error = report(&search);
	free(search.held);
	free(search.pid);
	return error == 0 && search.blind ? -EACCES : error;
}
