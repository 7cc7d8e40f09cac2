/*
 * Which processes have mapped a device: a mapping is as good as an FD, and shows in /proc/PID/maps only. Looks only.
 */
#pragma once

#include "../os/timed_call.h"
#include "../os/process.h"

/* What an FD, or a mapping, of a device that was opened by its group looks like, whichever device it is. */
#define VFIO_ANONYMOUS "anon_inode:[vfio-device]"

/* A node to look for: by its FDs or its mappings. */
struct holder_target {
	char device[DEVICE_NAME_MAX]; /* the PCI function */
	char label[64];               /* "vfio0", "nvme0n1" */
	enum use_kind kind;           /* what it means to have it: the caller's own */
	bool block;                   /* number is a block device's; else a character device's */
	bool mappings;                /* mappings of it are looked for, too */
	dev_t number;
	dev_t group;       /* of the VFIO group's node, 0: none */
	dev_t node_device; /* where the node in /dev lies, and its inode: a mapping shows these */
	ino_t node_inode;  /* 0: unknown */
};

struct mapping_search {
	const struct host *host;
	const struct holder_target *target;
	size_t count;
	const struct process_list *processes;
	bool one_group; /* what is anonymous is of the one group that VFIO has: see vfio_has_one_group() */
	struct timed_call *timed_call; /* limits the waiting for a process that can't be looked at now */
	bool *held;                    /* a row of count marks for each process; marks are added */
	bool blind;                    /* set: a process could not be looked into */
};

/* Marks who has mapped what. 0, -ENOMEM: incomplete. */
int mappings_find(struct mapping_search *search);

/* True if VFIO has one group only: then what is anonymous is of that. */
bool vfio_has_one_group(const struct host *host);
