#include "root_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int root_file_read(int root, const char *path, char *out, size_t size)
{
	int fd = openat(root, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	size_t length = 0;
	ssize_t got = 0;
	int error;

	if (fd < 0)
		return -errno;
	while (length + 1 < size) {
		got = read(fd, out + length, size - 1 - length);
		if (got <= 0)
			break;
		length += (size_t)got;
	}
	error = errno;
	close(fd);
	if (got < 0)
		return -error;
	while (length > 0 && out[length - 1] == '\n')
		length--;
	out[length] = '\0';
	return (int)length;
}

bool root_file_exists(int root, const char *path)
{
	struct stat status;

	return fstatat(root, path, &status, 0) == 0;
}

bool root_file_has_line_with(int root, const char *path, const char *text, bool *readable)
{
	int fd = openat(root, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	FILE *stream = fd >= 0 ? fdopen(fd, "r") : NULL;
	char *line = NULL;
	size_t size = 0;
	bool found = false;

	if (stream == NULL && fd >= 0)
		close(fd);
	if (readable != NULL)
		*readable = stream != NULL;
	if (stream == NULL)
		return false;
	while (!found && getline(&line, &size, stream) > 0)
		found = strstr(line, text) != NULL;
	free(line);
	fclose(stream);
	return found;
}

bool root_file_has_entries(int root, const char *path)
{
	int fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	bool found = false;

	if (folder == NULL) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (!found && (entry = readdir(folder)) != NULL)
		found = entry->d_name[0] != '.';
	closedir(folder);
	return found;
}
