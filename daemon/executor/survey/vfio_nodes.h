/*
 * All nodes of VFIO, iommufd and vhost-vdpa that there are, as sysfs tells them: what an audit looks for. Looks only.
 */
#pragma once

#include "mappings.h"

#include "../../../policy/model/held_nodes.h"

struct audited_node {
	dev_t number;
	uint32_t kind;                /* enum hold_kind: HOLD_IOMMUFD to HOLD_DEVICE, or HOLD_VDPA */
	int32_t group;                /* IOMMU group; -1 none */
	char node[DEVICE_NAME_MAX];   /* below /dev */
	char device[DEVICE_NAME_MAX]; /* PCI function; "" none */
};

struct vfio_nodes {
	struct audited_node *node; /* sorted by number */
	size_t count, allocated;
};

/* 0, -ENOMEM, or -errno of reading. */
int vfio_nodes_read(const struct host *host, struct vfio_nodes *out);
void vfio_nodes_done(struct vfio_nodes *nodes);
/* The node of a character device's number, or NULL. */
const struct audited_node *vfio_nodes_find(const struct vfio_nodes *nodes, dev_t number);
