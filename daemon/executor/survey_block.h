/*
 * What the host does with the block devices of PCI functions: mounts, swap, and whoever has a disk to himself, found
 * through partitions, device mapper, RAID and loop devices. Opens disks for reading, to ask the kernel whether they
 * are in use, and closes them at once; changes nothing.
 */
#pragma once

#include "../../policy/use.h"
#include "class_links.h"
#include "sysfs.h"

/* A block device that hangs on one of the functions, however indirectly. */
struct block_node {
	char device[DEVICE_NAME_MAX]; /* the PCI function */
	char name[64];                /* "dm-0" */
	char chain[TEXT_MAX];         /* "nvme0n1 > nvme0n1p2 > dm-0" */
	dev_t number;
	size_t disk;                  /* index of the whole disk that it is on: itself, if it is one */
	bool used;                    /* a use of it, or of what is on it, was found */
};

struct block_nodes {
	struct block_node *node;
	size_t count;
	size_t allocated;
};

/*
 * Finds all block devices on the given functions. 0, -ENOMEM, -E2BIG: more than can be looked at; -errno: incomplete.
 */
int block_nodes_find(const struct host *host, const struct device *device, size_t count, struct block_nodes *out);
void block_nodes_done(struct block_nodes *nodes);

/* Adds their uses. foreign: mount namespaces of all processes. 0, -ENOMEM, or -errno: incomplete. */
int survey_block(const struct host *host, struct block_nodes *nodes, bool foreign, struct uses *uses);

/*
 * Opens the whole disks of one function for itself alone, so that nobody can begin to use them; fds is malloc'ed, the
 * caller closes and frees. 0; -EBUSY: one is in use, name tells which; -ENOMEM; or -errno of the open.
 */
int block_hold(const struct host *host, const char *device, int **fds, size_t *count, char name[static 64]);
