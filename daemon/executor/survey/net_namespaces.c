#include "net_namespaces.h"

#include "../../base/descriptors.h"
#include "../os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/*
 * Nobody needs more namespaces than that, and of each a few processes are asked for their sysfs. A process that keeps
 * us waiting has no file system there that we want to see.
 */
enum { NAMESPACES_MAX = 1024, TRIES_MAX = 8, PATIENCE_MSEC = 200, HANGS_MAX = 4 };

/* A namespace on the way to be found, told apart by the inode in the text of its link. */
struct candidate {
	char id[32];
	unsigned tries;
	bool found;
};

struct opening {
	int proc;
	pid_t pid;
	int sys; /* what was opened, or -1 */
};

/* The sysfs at the usual place of a process, and nothing else that may be mounted there. */
static int open_sys(void *context)
{
	struct opening *opening = context;
	struct statfs status;
	char path[32];

	snprintf(path, sizeof(path), "%d/root", opening->pid);
	autoclose int root = openat(opening->proc, path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return -errno;
	autoclose int sys = openat(root, "sys", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (sys < 0 || fstatfs(sys, &status) < 0)
		return -errno;
	if (status.f_type != SYSFS_MAGIC)
		return -ENOTDIR;
	opening->sys = sys;
	sys = -1;
	return 0;
}

static void free_opening(void *context)
{
	struct opening *opening = context;

	descriptor_close(&opening->sys);
	descriptor_close(&opening->proc);
	free(opening);
}

/* An FD of the process's sysfs, or -errno. -ETIMEDOUT: it keeps us waiting. */
static int open_with_patience(const struct host *host, struct timed_call *timed_call, pid_t pid)
{
	struct opening *opening = calloc(1, sizeof(*opening));
	char key[32];
	struct timed_call_task task = { .key = key, .run = open_sys, .free = free_opening };
	int sys, error;

	if (!opening)
		return -ENOMEM;
	*opening = (struct opening){ .proc = fcntl(host->proc, F_DUPFD_CLOEXEC, 3), .pid = pid, .sys = -1 };
	snprintf(key, sizeof(key), "sys of %d", pid);
	error = opening->proc < 0 ? -errno : timed_call_run(timed_call, &task, PATIENCE_MSEC, opening);
	if (error == -ETIMEDOUT)
		return error;
	sys = error < 0 ? error : opening->sys;
	if (error == 0)
		opening->sys = -1;
	free_opening(opening);
	return sys;
}

/*
 * True if what this sysfs shows are the interfaces of the process's namespace: a process that went into a namespace of
 * its own has the sysfs of the one before, until it mounts another.
 */
static bool shows_namespace(const struct host *host, struct net_namespace *item)
{
	struct stat here, there;
	bool more = false;

	if (fstat(host->sys, &here) < 0 || fstat(item->sys, &there) < 0 || here.st_dev == there.st_dev)
		return false;
	for (size_t i = 0; i < item->links.count; i++) {
		if (!net_view_has(&item->view, item->links.link[i].name))
			return false;
		more = more || strcmp(item->links.link[i].name, "lo") != 0;
	}
	return more;
}

/* Adds the namespace if it can be seen through this process. 1: it was; 0: it can't be; -ENOMEM, -ETIMEDOUT. */
static int try_process(const struct host *host, struct timed_call *timed_call, pid_t pid, struct net_namespaces *out)
{
	struct net_namespace item = { .sys = open_with_patience(host, timed_call, pid) };
	struct host there = { .sys = item.sys, .proc = host->proc, .dev = host->dev };
	struct net_namespace *larger;

	if (item.sys < 0)
		return item.sys == -ENOMEM || item.sys == -ETIMEDOUT ? item.sys : 0;
	net_view_begin(&item.view, item.sys, host->proc, pid);
	if (class_links_read(&there, "net", &item.links) < 0 || !shows_namespace(host, &item)) {
		class_links_done(&item.links);
		descriptor_close(&item.sys);
		return 0;
	}
	larger = reallocarray(out->item, out->count + 1, sizeof(*larger));
	if (!larger) {
		class_links_done(&item.links);
		descriptor_close(&item.sys);
		return -ENOMEM;
	}
	out->item = larger;
	process_label(host, pid, item.who, sizeof(item.who));
	out->item[out->count++] = item;
	return 1;
}

static struct candidate *find_candidate(struct candidate *all, size_t *count, const char *id)
{
	for (size_t i = 0; i < *count; i++)
		if (strcmp(all[i].id, id) == 0)
			return &all[i];
	if (*count == NAMESPACES_MAX)
		return NULL;
	all[*count] = (struct candidate){ .tries = 0 };
	memcpy(all[*count].id, id, sizeof(all->id));
	return &all[(*count)++];
}

int net_namespaces_find(const struct host *host, struct timed_call *timed_call, struct net_namespaces *out)
{
	struct net_namespaces namespaces = { 0 };
	struct candidate *all = calloc(NAMESPACES_MAX, sizeof(*all));
	DIR *processes = sysfs_list(host->proc, ".");
	char own[32] = "";
	size_t count = 0, hangs = 0;
	int result = 0;
	pid_t pid;

	sysfs_read_link(host->proc, "1/ns/net", own, sizeof(own));
	while (all && processes && result >= 0 && hangs < HANGS_MAX && (pid = process_next(processes))) {
		struct candidate *candidate;
		char path[32], id[32] = "";

		snprintf(path, sizeof(path), "%d/ns/net", pid);
		if (sysfs_read_link(host->proc, path, id, sizeof(id)) < 0 || strcmp(id, own) == 0)
			continue;
		candidate = find_candidate(all, &count, id);
		if (!candidate || candidate->found || candidate->tries++ >= TRIES_MAX)
			continue;
		result = try_process(host, timed_call, pid, &namespaces);
		if (result == -ETIMEDOUT) {
			hangs++;
			result = 0;
		}
		candidate->found = result == 1;
	}
	if (processes)
		closedir(processes);
	if (!all)
		result = -ENOMEM;
	free(all);
	if (result < 0) {
		net_namespaces_done(&namespaces);
		return result;
	}
	*out = namespaces;
	return 0;
}

void net_namespaces_done(struct net_namespaces *namespaces)
{
	for (size_t i = 0; i < namespaces->count; i++) {
		net_view_done(&namespaces->item[i].view);
		class_links_done(&namespaces->item[i].links);
		descriptor_close(&namespaces->item[i].sys);
	}
	free(namespaces->item);
	*namespaces = (struct net_namespaces){ 0 };
}
