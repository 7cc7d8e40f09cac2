/*
 * Who can open VFIO's nodes besides root, by their modes and ACLs. Opens none of them, and changes nothing.
 */
#pragma once

#include "vfio_nodes.h"

/* Called for each node that somebody else can open. A negative value ends the search and is returned. */
typedef int (*node_access_found)(void *context, const struct node_access *access);

/*
 * Looks at /dev/iommu, and what is in /dev/vfio and /dev/vfio/devices, and at /dev/vhost-vdpa-*: nodes that the list
 * does not have, too. 0, what found() returned, or -errno: a node could not be looked at.
 */
int node_access_find(const struct host *host, const struct vfio_nodes *nodes, node_access_found found, void *context);
