/*
 * The block devices that hang on PCI functions, however indirectly: partitions, device mapper, RAID, bcache, and loop
 * devices over a file on one of them. Looks only; knows nothing of what they are used for.
 */
#pragma once

#include "../../../policy/model/device.h"
#include "../os/sysfs.h"

struct block_node {
	char device[DEVICE_NAME_MAX]; /* the PCI function */
	char name[64];                /* "dm-0" */
	char chain[TEXT_MAX];         /* "nvme0n1 > nvme0n1p2 > dm-0 (vg-root, LVM)" */
	dev_t number;
	size_t disk; /* index of the whole disk that it is on: itself, if it is one */
	bool used;   /* a use of it, or of what is on it, was found */
};

struct block_nodes {
	struct block_node *node;
	size_t count;
	size_t allocated;
};

/*
 * Finds all block devices on the given functions. 0, -ENOMEM, -E2BIG: more than can be looked at; -ELOOP: stacked too
 * high; other -errno: incomplete.
 */
int block_nodes_find(const struct host *host, const struct device *device, size_t count, struct block_nodes *out);
void block_nodes_done(struct block_nodes *nodes);
