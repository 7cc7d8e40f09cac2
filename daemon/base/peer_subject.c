#include "peer_subject.h"

#include "peer_unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The rest of the line that begins like this, which the caller frees; NULL: there is none. */
static char *find_line(const char *path, const char *beginning)
{
	FILE *file = fopen(path, "re");
	char *line = NULL, *found = NULL;
	size_t size = 0;

	while (file && !found && getline(&line, &size, file) > 0)
		if (strncmp(line, beginning, strlen(beginning)) == 0)
			found = strdup(line + strlen(beginning));
	free(line);
	if (file)
		fclose(file);
	return found;
}

/* The numbers of a line: at most max of them, else -1. */
static int read_numbers(const char *path, const char *beginning, unsigned *out, int max)
{
	char *line = find_line(path, beginning), *rest = line, *end;
	int count = line ? 0 : -1;

	while (count >= 0) {
		unsigned long number = strtoul(rest, &end, 10);

		if (end == rest)
			break;
		if (count == max) {
			count = -1;
			break;
		}
		out[count++] = (unsigned)number;
		rest = end;
	}
	free(line);
	return count;
}

pid_t peer_process_of(int pidfd)
{
	char path[64], *line;
	long number;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	line = find_line(path, "Pid:");
	number = line ? strtol(line, NULL, 10) : 0;
	free(line);
	return (pid_t)number;
}

/* True if the pidfd is of this very process, and it lives. */
static bool is_of(int pidfd, pid_t pid)
{
	return pidfd >= 0 && pid > 0 && peer_process_of(pidfd) == pid;
}

bool peer_subject_read(int pidfd, pid_t pid, struct subject *out)
{
	unsigned uid[4], gid[4], groups[SUBJECT_GROUPS_MAX];
	struct subject found = { .pid = pid };
	char path[64];
	int count;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (!is_of(pidfd, pid) || read_numbers(path, "Uid:", uid, 4) != 4 || read_numbers(path, "Gid:", gid, 4) != 4)
		return false;
	count = read_numbers(path, "Groups:", groups, SUBJECT_GROUPS_MAX);
	if (count < 0 || uid[0] != uid[1] || uid[0] != uid[2])
		return false;
	found.uid = uid[0];
	found.gid = gid[1];
	found.group_count = (size_t)count;
	for (int i = 0; i < count; i++)
		found.groups[i] = groups[i];
	peer_unit_read(pidfd, pid, found.unit, sizeof(found.unit));
	/* It has not ended, and its number become another's, while all this was read. */
	if (!is_of(pidfd, pid))
		return false;
	*out = found;
	return true;
}
