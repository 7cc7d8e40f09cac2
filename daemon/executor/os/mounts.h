/*
 * What is mounted and swapped to, in the mount namespace of the first process and, where it may look, in all others.
 * Looks only. Knows no PCI device.
 */
#pragma once

#include "sysfs.h"

struct mount_entry {
	dev_t number;      /* the block device; 0 where it is none */
	const char *point; /* in the namespace's own root */
	const char *who;   /* "name[pid]", a process of that namespace; NULL: the host's own */
	bool again;        /* the same mount as in the call before, on another of its block devices */
};

/* Called for each; a negative value ends it and is returned. Strings are valid during the call only. */
typedef int (*mount_found)(void *context, const struct mount_entry *mount);

/*
 * Looks at all mounts. foreign: of other namespaces too. 0, what found() returned, or -errno: incomplete. A file system
 * on several block devices is reported for each of them that it can be seen to be on.
 */
int mounts_read(const struct host *host, bool foreign, mount_found found, void *context);
/* Looks at the mounts of one process's namespace only. -ENOENT: no such process. Else as mounts_read(). */
int mounts_read_process(const struct host *host, pid_t pid, mount_found found, void *context);

/* The block device of that path below /dev, or 0. */
dev_t block_number(const struct host *host, const char *path);

enum { PLACE_DEVICES_MAX = 16 };

/* A path in the host's own mount namespace, and the file system that it is on. Begin with the path alone. */
struct mount_place {
	const char *path;
	size_t length;                   /* of its mount point */
	dev_t number[PLACE_DEVICES_MAX]; /* its block devices */
	size_t count;
};
/* Finds the file systems of these paths, in one look. Errors as mounts_read(). */
int mounts_place(const struct host *host, struct mount_place *place, size_t count);

struct swap_entry {
	dev_t number;     /* the block device that it is, or that has the file system it is on */
	const char *file; /* a swap file's path; NULL: a whole block device */
};
typedef int (*swap_found)(void *context, const struct swap_entry *swap);
int swaps_read(const struct host *host, swap_found found, void *context);
