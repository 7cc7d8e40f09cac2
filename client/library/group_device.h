/*
 * Opening a device through its IOMMU group, where the kernel has no iommufd: the one thing that this library asks of
 * VFIO itself.
 */
#pragma once

/*
 * Opens a device by its name, 0000:01:00.0 (VFIO_GROUP_GET_DEVICE_FD of <linux/vfio.h>). Returns its FD, the caller's
 * and close-on-exec, or -errno: -ENODEV: no VFIO driver has it, or it is not in that group; -EINVAL: the group has no
 * container with an IOMMU; -EMFILE; -ENOTTY: not a group.
 */
int group_device_open(int group, const char *name);
