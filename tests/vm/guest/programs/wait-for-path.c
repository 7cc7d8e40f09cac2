/*
 * Waits by inotify until a path exists, or with --gone until it does not, or until a process has ended first.
 * No polling: the folders that the path goes through are watched, whichever of them exist.
 *
 * usage: wait-for-path [--gone] [--not-inode N] [--pid PID] SECONDS PATH
 *   --not-inode  what is there now does not count: another file has to take its place
 * status: 0 it is so; 1 SECONDS passed, or the process ended (told on stderr); a wrong usage is 1 too
 */
#include "rig.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static unsigned long old_inode;

static bool exists(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0 && status.st_ino != old_inode;
}

/* Watches every folder above PATH that exists; one that is made later is announced by the one above it. */
static void watch_folders(int inotify, const char *path)
{
	char folder[4096];
	char *slash;

	if (path[0] != '/' || strlen(path) >= sizeof folder)
		die("the path has to be absolute and short: '%s'", path);
	strcpy(folder, path);
	while ((slash = strrchr(folder, '/'))) {
		if (slash == folder)
			slash[1] = '\0';
		else
			*slash = '\0';
		if (inotify_add_watch(inotify, folder, IN_CREATE | IN_DELETE | IN_MOVE) < 0 && errno != ENOENT)
			die_errno("can't watch %s", folder);
		if (slash == folder)
			break;
	}
}

static void wait_for(const char *path, bool gone, uint64_t deadline, int process)
{
	char events[4096];
	struct pollfd wait[2] = { { .events = POLLIN }, { .fd = process, .events = POLLIN } };
	uint64_t now;
	int ready;

	wait[0].fd = inotify_init1(IN_CLOEXEC);
	if (wait[0].fd < 0)
		die_errno("inotify");
	for (;;) {
		/* Watch first, then look: what happens in between is an event. */
		watch_folders(wait[0].fd, path);
		if (exists(path) != gone)
			return;
		now = now_us();
		if (now >= deadline)
			die("%s is still %s", path, gone ? "there" : "not there");
		ready = poll(wait, 2, (int)((deadline - now) / 1000) + 1);
		if (ready < 0 && errno != EINTR)
			die_errno("poll");
		if (wait[0].revents && read(wait[0].fd, events, sizeof events) < 0)
			die_errno("can't read the events");
		if (wait[1].revents && exists(path) == gone)
			die("the process ended before %s was %s", path, gone ? "gone" : "there");
	}
}

int main(int argc, char **argv)
{
	bool gone = false;
	bool ended = false;
	int process = -1;
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--gone") == 0) {
			gone = true;
		} else if (strcmp(argv[i], "--not-inode") == 0 && i + 1 < argc) {
			old_inode = number_of("N", argv[++i], ULONG_MAX);
		} else if (strcmp(argv[i], "--pid") == 0 && i + 1 < argc) {
			process = (int)syscall(SYS_pidfd_open, number_of("PID", argv[++i], INT32_MAX), 0);
			/* EINVAL: it is half gone, no process any more but not forgotten yet. */
			if (process < 0 && errno != ESRCH && errno != EINVAL)
				die_errno("process %s", argv[i]);
			ended = process < 0;
		} else {
			die("unknown option '%s'", argv[i]);
		}
	}
	if (argc - i != 2)
		die("usage: wait-for-path [--gone] [--not-inode N] [--pid PID] SECONDS PATH");
	if (ended && exists(argv[i + 1]) == gone)
		die("the process had ended before %s was %s", argv[i + 1], gone ? "gone" : "there");
	wait_for(argv[i + 1], gone, now_us() + number_of("SECONDS", argv[i], 3600) * 1000000, process);
	return 0;
}
