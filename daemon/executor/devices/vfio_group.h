/*
 * The ioctls of VFIO's older interface: containers of the type 1 IOMMU (v2) and groups, for kernels without iommufd.
 * With what their errors mean. Knows no plan.
 */
#pragma once

#include "../../../include/words.h"
#include "../os/sysfs.h"

/*
 * All return 0 or -errno of the kernel, with one sentence in why on failure; *fd is the caller's on success. Source:
 * <linux/vfio.h>.
 */

/* Opens /dev/vfio/vfio, and checks that it is a container that has the type 1 IOMMU, version 2. */
int vfio_open_container(const struct host *host, int *fd, char why[static TEXT_MAX]);
/* True if the FD is a container. */
bool vfio_is_container(const struct host *host, int fd);
/* The node of a device's IOMMU group below /dev, "vfio/12", and its number. -ENODEV: it has none. */
int vfio_group_node(const struct host *host, int folder, char node[static DEVICE_NAME_MAX], dev_t *number);
/* -EBUSY: a process has the group open, or a device opened by it. */
int vfio_open_group(const struct host *host, const char *device, int folder, int *fd, char why[static TEXT_MAX]);
/*
 * Puts the group into the container, which gets its IOMMU with the first. -EPERM: a member of the group has a host
 * driver.
 */
int vfio_join_container(const struct host *host, const char *device, int group, int container,
			char why[static TEXT_MAX]);
/* Opens a device by its group, which has to be in a container. */
int vfio_open_by_group(const char *device, int group, int *fd, char why[static TEXT_MAX]);
/* Removes all mappings of a container; one that is empty, or that has no group, is none the worse for it. */
int vfio_empty_container(int container, char why[static TEXT_MAX]);
