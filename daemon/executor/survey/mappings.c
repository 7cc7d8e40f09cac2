#include "mappings.h"

#include "../../base/descriptors.h"
#include "../../base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/*
 * A process whose memory map takes longer to read is stopped in the middle of changing it. The maps of so many
 * processes are read by one call of a thread, which costs more than the reading.
 */
enum { MAPS_PATIENCE_MSEC = 500, MAPS_BATCH_PATIENCE_MSEC = 2000, MAPS_BATCH = 64 };

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
	if (path > 0 && one_group && target->group != 0 && strcmp(line + path, VFIO_ANONYMOUS) == 0)
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
		task->blind = task->blind || process_is_out_of_sight(errno);
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

static struct maps_task *new_maps(const struct mapping_search *search, size_t first, size_t pid_count)
{
	struct maps_task *task = calloc(1, sizeof(*task));

	if (!task)
		return NULL;
	task->proc = fcntl(search->host->proc, F_DUPFD_CLOEXEC, 3);
	task->pid_count = pid_count;
	memcpy(task->pid, search->processes->pid + first, pid_count * sizeof(*task->pid));
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
static int search_some(struct mapping_search *search, size_t first, size_t pid_count, unsigned timed_call)
{
	struct maps_task *task = new_maps(search, first, pid_count);
	char key[32];
	struct timed_call_task job = { .key = key, .run = run_maps, .free = free_maps };
	int error;

	if (!task)
		return -ENOMEM;
	snprintf(key, sizeof(key), "maps of %d to %d", task->pid[0], task->pid[pid_count - 1]);
	error = timed_call_run(search->timed_call, &job, timed_call, task);
	if (error == -ETIMEDOUT)
		return error;
	search->blind = search->blind || task->blind;
	for (size_t i = 0; i < pid_count * search->count; i++)
		search->held[first * search->count + i] |= task->held[i];
	free_maps(task);
	return error;
}

int mappings_find(struct mapping_search *search)
{
	size_t pid_count = search->processes->count;
	int error = 0;

	/* All at once; if that hangs, one by one, to leave out those that do. */
	for (size_t first = 0; first < pid_count && error == 0; first += MAPS_BATCH) {
		size_t left = pid_count - first, batch = left < MAPS_BATCH ? left : MAPS_BATCH;

		error = search_some(search, first, batch, MAPS_BATCH_PATIENCE_MSEC);
		if (error != -ETIMEDOUT)
			continue;
		error = 0;
		for (size_t i = 0; i < batch && error == 0; i++) {
			error = search_some(search, first + i, 1, MAPS_PATIENCE_MSEC);
			if (error != -ETIMEDOUT)
				continue;
			log_warning("cannot examine process %d, its memory map is locked: its mappings are not seen",
				    search->processes->pid[first + i]);
			error = 0;
		}
	}
	return error;
}

bool vfio_has_one_group(const struct host *host)
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
