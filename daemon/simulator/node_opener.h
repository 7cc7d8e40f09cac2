/*
 * A process of its own that has opened a device by the paths of its nodes, as programs do that take no FDs: it may if
 * the nodes' ACLs let its user. It does nothing with the device, and ends when it is killed.
 */
#pragma once

#include "machine.h"

/*
 * Starts one. by_group: it takes container and group though the kernel has cdevs. 0 and *pid; -EACCES: an ACL does not
 * let this user; -ENOENT: there is no such node; -EBUSY: the group is open; other -errno of the kernel's.
 */
int node_opener_start(struct simulated_device *device, uid_t uid, bool by_group, pid_t *pid);
