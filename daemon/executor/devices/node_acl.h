/*
 * POSIX ACLs on VFIO's nodes: one user may open a node, by an entry of its own, whatever else its mode and ACL say.
 * Never touches /dev/iommu, and knows no claim. Needs no capability: the nodes are root's, and so is this process.
 */
#pragma once

#include "../../../include/words.h"
#include "../os/sysfs.h"

/* A node, and the device that it has to be: the name may be another's by the time. */
struct vfio_node {
	char name[DEVICE_NAME_MAX]; /* below /dev: "vfio/12", "vfio/devices/vfio3", "vfio/vfio" */
	dev_t number;
};
enum { VFIO_NODES_MAX = 2 };

/* The nodes that a device has now: its cdev's and its group's, as far as the kernel makes them. Returns how many. */
size_t node_acl_nodes_of(const struct host *host, int folder, struct vfio_node node[static VFIO_NODES_MAX]);
/* The container's. 0, or -ENODEV. */
int node_acl_container(const struct host *host, struct vfio_node *node);
/* True if everybody may open the node for reading and writing: nobody needs an entry. */
bool node_acl_is_open_to_all(const struct host *host, const struct vfio_node *node);
/*
 * Waits, as long as it takes it to, until udev has set the node's mode for the first time: that would undo an entry.
 * Not longer than a second, and not at all without udev.
 */
void node_acl_wait_for_udev(const struct vfio_node *node);
/*
 * Lets the user open the node for reading and writing, or takes that back; one who has it, or has it not, stays so. 0,
 * -ENODEV: it is another node by now; -EOPNOTSUPP: its file system has no ACLs; other -errno. With why on failure.
 */
int node_acl_grant(const struct host *host, const struct vfio_node *node, uid_t uid, char why[static TEXT_MAX]);
int node_acl_revoke(const struct host *host, const struct vfio_node *node, uid_t uid, char why[static TEXT_MAX]);
