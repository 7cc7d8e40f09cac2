#include "peer_unit.h"

#include "descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What systemd's units are called, but for slices, which hold units. */
static bool is_unit(const char *name, size_t length)
{
	static const char *const suffixes[] = { ".service", ".scope", ".socket", ".mount", ".swap" };

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		size_t suffix = strlen(suffixes[i]);

		if (length > suffix && memcmp(name + length - suffix, suffixes[i], suffix) == 0)
			return true;
	}
	return false;
}

static bool is_slice(const char *name, size_t length)
{
	return length > 6 && memcmp(name + length - 6, ".slice", 6) == 0;
}

/* The path of the hierarchy that systemd keeps: the only one of cgroup2, or the named one beside cgroup 1. */
static const char *find_path(const char *text)
{
	const char *found = NULL;

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, "0::/", 4) == 0 && !found)
			found = line + 3;
		const char *named = strstr(line, ":name=systemd:/");
		const char *end = strchrnul(line, '\n');

		if (named && named < end)
			return named + 14;
	}
	return found;
}

void peer_unit_parse(const char *text, char *out, size_t size)
{
	const char *path = find_path(text);

	out[0] = '\0';
	while (path && *path == '/') {
		const char *name = path + 1;
		size_t length = strcspn(name, "/\n");

		path = name + length;
		if (is_slice(name, length))
			continue;
		/* systemd escapes a name that the kernel could take for a file of its own. */
		if (length > 0 && name[0] == '_') {
			name++;
			length--;
		}
		if (is_unit(name, length) && length < size) {
			memcpy(out, name, length);
			out[length] = '\0';
		}
		return;
	}
}

static bool is_alive(int pidfd)
{
	struct pollfd poller = { .fd = pidfd, .events = POLLIN };

	return poll(&poller, 1, 0) == 0;
}

void peer_unit_read(int pidfd, pid_t pid, char *out, size_t size)
{
	char path[64], text[4096];
	size_t length = 0;

	out[0] = '\0';
	if (pidfd < 0 || pid <= 0)
		return;
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);

	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && length < sizeof(text) - 1) {
		ssize_t got = read(fd, text + length, sizeof(text) - 1 - length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		length += (size_t)got;
	}
	text[length] = '\0';
	if (is_alive(pidfd))
		peer_unit_parse(text, out, size);
}
