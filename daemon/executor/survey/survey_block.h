/*
 * What the host does with the block devices of PCI functions: mounts, swap, hibernation, and whoever has a disk to
 * himself. Opens disks for reading, to ask the kernel whether they are in use, and closes them at once; changes
 * nothing.
 */
#pragma once

#include "../../../policy/model/use.h"
#include "block_nodes.h"
#include "../os/sysfs.h"

/* Adds their uses. foreign: mount namespaces of all processes. 0, -ENOMEM, or -errno: incomplete. */
int survey_block(const struct host *host, struct block_nodes *nodes, bool foreign, struct uses *uses);

/*
 * Opens the whole disks of one function for itself alone, so that nobody can begin to use them; fds is malloc'ed, the
 * caller closes and frees. 0; -EBUSY: one is in use, name tells which; -ENOMEM; or -errno of the open.
 */
int block_hold(const struct host *host, const char *device, int **fds, size_t *count, char name[static 64]);
