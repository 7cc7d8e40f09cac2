#include "process.h"

#include "../../../policy/util/text.h"
#include "../../base/descriptors.h"
#include "../../base/peer_unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *process_name(const struct host *host, pid_t pid, char out[static PROCESS_NAME_MAX])
{
	char path[32], text[17];
	ssize_t length = 0;

	snprintf(path, sizeof(path), "%d/comm", pid);
	autoclose int fd = openat(host->proc, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0)
		length = read(fd, text, sizeof(text));
	if (length > 0 && text[length - 1] == '\n')
		length--;
	return text_escape(out, PROCESS_NAME_MAX, text, length > 0 ? (size_t)length : 0);
}

const char *process_label(const struct host *host, pid_t pid, char *out, size_t size)
{
	char name[PROCESS_NAME_MAX];

	return text_format(out, size, "%s[%d]", process_name(host, pid, name), pid);
}

pid_t process_parent(const struct host *host, pid_t pid)
{
	char path[32], text[512], *end;
	ssize_t length = -1;
	int parent = 0;

	snprintf(path, sizeof(path), "%d/stat", pid);
	autoclose int fd = openat(host->proc, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0)
		length = read(fd, text, sizeof(text) - 1);
	if (length < 0)
		return 0;
	text[length] = '\0';
	/* The name, in parentheses, may have anything in it. */
	end = strrchr(text, ')');
	return end && sscanf(end, ") %*c %d", &parent) == 1 ? parent : 0;
}

/* The last part of the path in the last line of a control group's file. */
static void copy_leaf(char *text, char out[static UNIT_NAME_MAX])
{
	size_t length = strlen(text);
	const char *slash;

	while (length > 0 && text[length - 1] == '\n')
		text[--length] = '\0';
	slash = strrchr(text, '/');
	if (slash)
		text_escape(out, UNIT_NAME_MAX, slash + 1, strlen(slash + 1));
}

const char *process_unit(const struct host *host, pid_t pid, bool leaf, char out[static UNIT_NAME_MAX])
{
	char path[32], text[4096];
	size_t length = 0;
	ssize_t got;

	snprintf(path, sizeof(path), "%d/cgroup", pid);
	autoclose int fd = openat(host->proc, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	while (fd >= 0 && (got = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)got;
	text[length] = '\0';
	peer_unit_parse(text, out, UNIT_NAME_MAX);
	if (!out[0] && leaf)
		copy_leaf(text, out);
	/* A unit's name has no other characters; another's control group can be called anything. */
	if (!text_is_printable(out, UNIT_NAME_MAX)) {
		memcpy(text, out, UNIT_NAME_MAX);
		text_escape(out, UNIT_NAME_MAX, text, strlen(text));
	}
	return out;
}

bool process_uid(const struct host *host, pid_t pid, uid_t *uid)
{
	char path[32], text[64];
	unsigned effective;

	snprintf(path, sizeof(path), "%d/status", pid);
	if (!sysfs_find_line(host->proc, path, "Uid:\t", text, sizeof(text)) || sscanf(text, "%*u %u", &effective) != 1)
		return false;
	*uid = effective;
	return true;
}

pid_t process_of(const struct host *host, int pidfd)
{
	char path[64], text[32];
	uint64_t number;

	snprintf(path, sizeof(path), "self/fdinfo/%d", pidfd);
	if (!sysfs_find_line(host->proc, path, "Pid:\t", text, sizeof(text)))
		return 0;
	if (strcmp(text, "-1") == 0)
		return -1;
	return number_parse(text, INT32_MAX, &number) == 0 ? (pid_t)number : 0;
}

bool process_fdinfo(const struct host *host, pid_t pid, const char *fd, const char *beginning, char *out, size_t size)
{
	char path[300];

	snprintf(path, sizeof(path), "%d/fdinfo/%s", pid, fd);
	return sysfs_find_line(host->proc, path, beginning, out, size);
}

bool process_only_names(const struct host *host, pid_t pid, const char *fd)
{
	char flags[32];

	return process_fdinfo(host, pid, fd, "flags:\t", flags, sizeof(flags)) && (strtoul(flags, NULL, 8) & O_PATH);
}

bool process_is_ours(const struct host *host, pid_t pid)
{
	pid_t main_process = getppid();

	return pid == main_process || process_parent(host, pid) == main_process;
}

bool process_is_out_of_sight(int error)
{
	return error == EACCES || error == EPERM;
}

/* A kernel thread has no program, and holds nothing. */
static bool is_kernel_thread(const struct host *host, pid_t pid)
{
	char path[32], program[1];

	snprintf(path, sizeof(path), "%d/exe", pid);
	return readlinkat(host->proc, path, program, sizeof(program)) < 0 && errno == ENOENT;
}

pid_t process_next(DIR *stream)
{
	const struct dirent *entry;
	uint64_t pid;

	while ((entry = sysfs_next(stream)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    number_parse(entry->d_name, INT32_MAX, &pid) == 0)
			return (pid_t)pid;
	return 0;
}

int process_list(const struct host *host, struct process_list *out)
{
	DIR *processes = sysfs_list(host->proc, ".");
	struct process_list list = { .pid = NULL };
	pid_t pid, own = getpid();
	size_t allocated = 0;
	int error = 0;

	if (!processes)
		return -errno;
	while (error == 0 && (pid = process_next(processes))) {
		if (pid == own || is_kernel_thread(host, pid))
			continue;
		if (list.count == allocated) {
			pid_t *larger;

			allocated = allocated ? allocated * 2 : 64;
			larger = reallocarray(list.pid, allocated, sizeof(*larger));
			if (!larger) {
				error = -ENOMEM;
				break;
			}
			list.pid = larger;
		}
		list.pid[list.count++] = pid;
	}
	closedir(processes);
	if (error < 0)
		process_list_done(&list);
	*out = list;
	return error;
}

void process_list_done(struct process_list *list)
{
	free(list->pid);
	*list = (struct process_list){ .pid = NULL };
}
