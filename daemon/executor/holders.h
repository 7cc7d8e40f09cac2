/*
 * Which processes have an FD or a mapping of a device. An FD in flight in a socket, one that io_uring keeps, or one in a
 * thread's own table shows nowhere: that nothing was found proves nothing. Looks only; needs CAP_SYS_PTRACE and
 * CAP_DAC_READ_SEARCH.
 */
#pragma once

#include "patience.h"
#include "sysfs.h"

#include "../../include/words.h"

/* What to look for. */
struct holder_target {
	char device[DEVICE_NAME_MAX]; /* the PCI function */
	char label[64];               /* "vfio0", "nvme0n1" */
	enum use_kind kind;           /* what it means to have it: the caller's own */
	bool block;                   /* number is a block device's; else a character device's */
	bool mappings;                /* mappings of it are looked for, too */
	dev_t number;
	dev_t group;                  /* of the VFIO group's node, 0: none */
	dev_t node_device;            /* where the node in /dev lies, and its inode: a mapping shows these */
	ino_t node_inode;             /* 0: unknown */
};

/* Called once for each process and target. A negative value ends the search and is returned. */
typedef int (*holder_found)(void *context, const struct holder_target *target, pid_t pid);

/*
 * Looks through all processes. patience limits the waiting for a process that can't be looked at now. 0, what found()
 * returned, -EACCES: processes could not be looked into; or other -errno: incomplete.
 */
int holders_find(const struct host *host, const struct holder_target *target, size_t count, struct patience *patience,
		 holder_found found, void *context);
