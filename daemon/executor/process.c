#include "process.h"

#include "../../policy/text.h"
#include "../base/descriptors.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

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
