/*
 * Lists processes for the rig's scripts, which would start a process for each line otherwise: a hundred a list.
 *
 * usage: list-processes all|product|fds
 *   all      the pids of all programs but udev, this and those that it descends from; with systemd, but those of its
 * own product  of those, ioasidd, its executor and their workers fds      a line "PROGRAM FDS" for each process of the
 * product, not in order
 */
#include "rig.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Reads a file of a process; "" if it has gone. */
static void read_text(int process, const char *name, char *text, size_t size)
{
	int fd = openat(process, name, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? 0 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[got > 0 ? got : 0] = '\0';
}

/* The file's name of what a process runs, "" if there is none: a kernel thread, a zombie. */
static void read_program(int process, char *name, size_t size)
{
	char path[PATH_MAX];
	ssize_t length = readlinkat(process, "exe", path, sizeof path - 1);

	path[length > 0 ? length : 0] = '\0';
	snprintf(name, size, "%s", strrchr(path, '/') ? strrchr(path, '/') + 1 : "");
}

static bool is_product(const char *program)
{
	return strcmp(program, "ioasidd") == 0 || strcmp(program, "ioasid-executor") == 0 ||
	       strcmp(program, "ioasid-simulator") == 0;
}

/* Belongs to what runs in every guest with systemd, whether a scenario is there or not. */
static bool is_of_system(int process)
{
	static const char *const units[] = { "/init.scope", "/system.slice/dbus.service",
					     "/system.slice/polkit.service", "/system.slice/systemd-journald.service",
					     "/system.slice/systemd-udevd.service" };
	char text[512];
	char *unit;
	size_t i;

	read_text(process, "cgroup", text, sizeof text);
	unit = strstr(text, "0::");
	if (!unit)
		return false;
	unit += 3;
	unit[strcspn(unit, "\n")] = '\0';
	for (i = 0; i < sizeof units / sizeof units[0]; i++)
		if (strcmp(unit, units[i]) == 0)
			return true;
	return false;
}

static unsigned count_fds(int process)
{
	struct dirent *entry;
	unsigned count = 0;
	int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);

	if (!folder)
		return 0;
	while ((entry = readdir(folder)))
		count += entry->d_name[0] != '.';
	closedir(folder);
	return count;
}

static void list(const char *what, int process, const char *pid)
{
	char program[NAME_MAX + 1];
	char name[32];

	read_program(process, program, sizeof program);
	read_text(process, "comm", name, sizeof name);
	if (program[0] == '\0' || strcmp(program, "udevadm") == 0 || strncmp(name, "(spawn)", 7) == 0 ||
	    is_of_system(process))
		return;
	if (strcmp(what, "all") == 0 || (strcmp(what, "product") == 0 && is_product(program)))
		puts(pid);
	else if (strcmp(what, "fds") == 0 && is_product(program))
		printf("%s %u\n", program, count_fds(process));
}

static long parent_of(long pid)
{
	char path[64];
	char text[512];
	const char *end;
	long parent;

	snprintf(path, sizeof path, "/proc/%ld/stat", pid);
	read_text(AT_FDCWD, path, text, sizeof text);
	/* "PID (NAME) STATE PARENT", where NAME may have anything in it. */
	end = strrchr(text, ')');
	return end && sscanf(end, ") %*c %ld", &parent) == 1 ? parent : 0;
}

static bool is_ancestor(long pid)
{
	long one;

	for (one = getpid(); one > 0; one = parent_of(one))
		if (one == pid)
			return true;
	return false;
}

int main(int argc, char **argv)
{
	struct dirent *entry;
	DIR *folder = opendir("/proc");
	int process;

	if (argc != 2 ||
	    (strcmp(argv[1], "all") != 0 && strcmp(argv[1], "product") != 0 && strcmp(argv[1], "fds") != 0))
		die("usage: list-processes all|product|fds");
	if (!folder)
		die_errno("/proc");
	while ((entry = readdir(folder))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		process = openat(dirfd(folder), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (process < 0)
			continue;
		if (!is_ancestor(atol(entry->d_name)))
			list(argv[1], process, entry->d_name);
		close(process);
	}
	closedir(folder);
	return 0;
}
