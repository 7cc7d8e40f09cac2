#include "sysfs.h"

#include "../../base/descriptors.h"
#include "open_beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

int host_open(struct host *host, const char *root)
{
	static const char *const tree[] = { "sys", "proc", "dev" };
	int fd[3] = { -1, -1, -1 }, error = 0;

	for (size_t i = 0; i < 3 && error == 0; i++) {
		char path[4096];

		if (snprintf(path, sizeof(path), "%s/%s", root, tree[i]) >= (int)sizeof(path))
			error = -ENAMETOOLONG;
		else if ((fd[i] = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
			error = -errno;
	}
	*host = (struct host){ .sys = fd[0], .proc = fd[1], .dev = fd[2] };
	if (error < 0)
		host_close(host);
	return error;
}

void host_close(struct host *host)
{
	descriptor_close(&host->sys);
	descriptor_close(&host->proc);
	descriptor_close(&host->dev);
}

int sysfs_open_folder(int base, const char *path)
{
	return open_beneath(base, path, O_RDONLY | O_DIRECTORY);
}

FILE *sysfs_lines(int base, const char *path)
{
	int fd = open_beneath(base, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	FILE *stream;

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	stream = fdopen(fd, "re");
	if (!stream)
		descriptor_close(&fd);
	return stream;
}

bool sysfs_find_line(int base, const char *path, const char *beginning, char *out, size_t size)
{
	FILE *stream = sysfs_lines(base, path);
	size_t allocated = 0;
	char *line = NULL;
	bool found = false;

	while (stream && !found && getline(&line, &allocated, stream) > 0) {
		line[strcspn(line, "\n")] = '\0';
		found = strncmp(line, beginning, strlen(beginning)) == 0;
		if (found)
			snprintf(out, size, "%s", line + strlen(beginning));
	}
	free(line);
	if (stream)
		fclose(stream);
	return found;
}

DIR *sysfs_list(int base, const char *path)
{
	int fd = sysfs_open_folder(base, path);
	DIR *stream;

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	stream = fdopendir(fd);
	if (!stream)
		descriptor_close(&fd);
	return stream;
}

static bool text_is_printable(const char *text, bool blanks)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x7f || (unsigned char)*text < (blanks ? 0x20 : 0x21))
			return false;
	return true;
}

const struct dirent *sysfs_next(DIR *stream)
{
	const struct dirent *entry;

	while ((entry = readdir(stream)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    text_is_printable(entry->d_name, false))
			return entry;
	return NULL;
}

int sysfs_read(int folder, const char *name, char *out, size_t size)
{
	autoclose int fd = open_beneath(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	char text[4096 + 1];
	ssize_t length;

	if (fd < 0)
		return fd;
	/* One read: the kernel gives an attribute whole, and none is longer than a page. */
	do
		length = read(fd, text, sizeof(text));
	while (length < 0 && errno == EINTR);
	if (length < 0)
		return -errno;
	if (length > 0 && text[length - 1] == '\n')
		length--;
	if ((size_t)length >= size || (size_t)length >= sizeof(text))
		return -EMSGSIZE;
	text[length] = '\0';
	if (strlen(text) != (size_t)length || !text_is_printable(text, true))
		return -EBADMSG;
	memcpy(out, text, (size_t)length + 1);
	return 0;
}

int number_parse(const char *text, uint64_t max, uint64_t *out)
{
	unsigned base = 10;
	uint64_t value = 0;

	if (text[0] == '0' && text[1] == 'x') {
		base = 16;
		text += 2;
	}
	if (!*text)
		return -EBADMSG;
	for (; *text; text++) {
		unsigned digit;

		if (*text >= '0' && *text <= '9')
			digit = (unsigned)(*text - '0');
		else if (base == 16 && *text >= 'a' && *text <= 'f')
			digit = (unsigned)(*text - 'a') + 10;
		else
			return -EBADMSG;
		if (digit > max || value > (max - digit) / base)
			return -EBADMSG;
		value = value * base + digit;
	}
	*out = value;
	return 0;
}

int sysfs_read_number(int folder, const char *name, uint64_t max, uint64_t *out)
{
	char text[32];
	int error = sysfs_read(folder, name, text, sizeof(text));

	if (error < 0)
		return error == -EMSGSIZE ? -EBADMSG : error;
	return number_parse(text, max, out);
}

int sysfs_read_device_number(int folder, const char *name, dev_t *out)
{
	char text[32], *colon;
	uint64_t high, low;
	int error = sysfs_read(folder, name, text, sizeof(text));

	if (error < 0)
		return error;
	colon = strchr(text, ':');
	if (!colon)
		return -EBADMSG;
	*colon = '\0';
	if (number_parse(text, UINT32_MAX, &high) < 0 || number_parse(colon + 1, UINT32_MAX, &low) < 0)
		return -EBADMSG;
	*out = makedev((unsigned)high, (unsigned)low);
	return 0;
}

int sysfs_read_link(int folder, const char *name, char *out, size_t size)
{
	char text[4096];
	ssize_t length = readlinkat(folder, name, text, sizeof(text) - 1);

	if (length < 0)
		return -errno;
	if ((size_t)length >= sizeof(text) - 1 || (size_t)length >= size)
		return -EMSGSIZE;
	text[length] = '\0';
	if (!text_is_printable(text, true))
		return -EBADMSG;
	memcpy(out, text, (size_t)length + 1);
	return 0;
}

const char *path_last(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int sysfs_read_link_name(int folder, const char *name, char *out, size_t size)
{
	char text[4096];
	int error = sysfs_read_link(folder, name, text, sizeof(text));
	const char *last;

	if (error < 0)
		return error;
	last = path_last(text);
	if (!*last || strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
		return -EBADMSG;
	if (strlen(last) >= size)
		return -EMSGSIZE;
	memcpy(out, last, strlen(last) + 1);
	return 0;
}

bool sysfs_has(int folder, const char *name)
{
	return faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int sysfs_write(int folder, const char *name, const char *text)
{
	/* No O_TRUNC: in sysfs it says nothing, and a write is one message to the kernel. */
	autoclose int fd = open_beneath(folder, name, O_WRONLY | O_NOFOLLOW);

	if (fd < 0)
		return fd;
	if (write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}
