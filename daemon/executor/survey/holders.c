#include "holders.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* The search of one /proc. */
struct search {
	const struct host *host;
	const struct holder_target *target;
	size_t count;
	holder_found found;
	void *context;
	struct process_list processes;
	bool *held;     /* pid_count rows of count marks */
	bool blind;     /* a process could not be looked into */
	bool one_group; /* VFIO has one group only: what is anonymous is of that */
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
 * fdinfo, and with others it is sure only where there is one group: all its devices are held together.
 */
static void mark_anonymous(const struct search *search, pid_t pid, const char *fd, bool *held)
{
	char path[300], text[4096];

	snprintf(path, sizeof(path), "%d/fd/%s", pid, fd);
	if (sysfs_read_link(search->host->proc, path, text, sizeof(text)) < 0 || strcmp(text, VFIO_ANONYMOUS) != 0)
		return;
	if (!process_fdinfo(search->host, pid, fd, "vfio-device-syspath:", text, sizeof(text)))
		text[0] = '\0';
	for (size_t i = 0; i < search->count; i++)
		if (search->target[i].mappings && (text[0] ? strcmp(path_last(text), search->target[i].device) == 0
							   : search->one_group && search->target[i].group != 0))
			held[i] = true;
}

static int mark_descriptors(struct search *search, pid_t pid, bool *held)
{
	char path[32];
	const struct dirent *entry;
	DIR *stream;

	snprintf(path, sizeof(path), "%d/fd", pid);
	stream = sysfs_list(search->host->proc, path);
	if (!stream) {
		search->blind = search->blind || process_is_out_of_sight(errno);
		return errno == ENOENT || errno == ESRCH || process_is_out_of_sight(errno) ? 0 : -errno;
	}
	while ((entry = sysfs_next(stream))) {
		struct statx status;

		/* Without a sync: a file on a dead network file system must not stop us. */
		if (statx(dirfd(stream), entry->d_name, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_TYPE, &status) <
		    0) {
			search->blind = search->blind || process_is_out_of_sight(errno);
			continue;
		}
		if ((status.stx_mode & S_IFMT) == 0)
			mark_anonymous(search, pid, entry->d_name, held);
		for (size_t i = 0; i < search->count; i++)
			if (is_node(&search->target[i], &status) &&
			    !process_only_names(search->host, pid, entry->d_name))
				held[i] = true;
	}
	closedir(stream);
	return 0;
}

static int report(const struct search *search)
{
	const struct process_list *processes = &search->processes;
	int result = 0;

	for (size_t i = 0; i < processes->count && result == 0; i++)
		for (size_t k = 0; k < search->count && result == 0; k++)
			if (search->held[i * search->count + k] && !process_is_ours(search->host, processes->pid[i]))
				result = search->found(search->context, &search->target[k], processes->pid[i]);
	return result;
}

/* Marks mappings, too. 0 or -errno. */
static int mark_mappings(struct search *search, struct timed_call *timed_call)
{
	struct mapping_search mappings = { .host = search->host,
					   .target = search->target,
					   .count = search->count,
					   .processes = &search->processes,
					   .one_group = search->one_group,
					   .timed_call = timed_call,
					   .held = search->held };
	int error = mappings_find(&mappings);

	search->blind = search->blind || mappings.blind;
	return error;
}

int holders_find(const struct host *host, const struct holder_target *target, size_t count,
		 struct timed_call *timed_call, holder_found found, void *context)
{
	struct search search = { .host = host, .target = target, .count = count, .found = found, .context = context };
	bool mappable = false;
	int error;

	if (count == 0)
		return 0;
	search.one_group = vfio_has_one_group(host);
	for (size_t i = 0; i < count; i++)
		mappable = mappable || target[i].mappings;
	error = process_list(host, &search.processes);
	if (error == 0) {
		search.held = calloc(search.processes.count * count + 1, sizeof(*search.held));
		error = search.held ? 0 : -ENOMEM;
	}
	for (size_t i = 0; i < search.processes.count && error == 0; i++)
		error = mark_descriptors(&search, search.processes.pid[i], search.held + i * count);
	if (error == 0 && mappable)
		error = mark_mappings(&search, timed_call);
	if (error == 0)
		error = report(&search);
	free(search.held);
	process_list_done(&search.processes);
	return error == 0 && search.blind ? -EACCES : error;
}
