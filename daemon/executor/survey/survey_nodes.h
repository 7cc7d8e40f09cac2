/*
 * The device nodes that drivers have made for PCI functions, for a search of the processes that have them open: VFIO,
 * disks, and every other character device. Looks only.
 */
#pragma once

#include "../../../policy/model/device.h"
#include "block_nodes.h"
#include "holders.h"

struct survey_nodes {
	struct holder_target *target;
	size_t count;
	size_t allocated;
};

/* Finds the nodes to look for. 0, -ENOMEM, or -errno: incomplete. */
int survey_nodes_find(const struct host *host, const struct device *device, size_t count,
		      const struct block_nodes *blocks, struct survey_nodes *out);
void survey_nodes_done(struct survey_nodes *nodes);
