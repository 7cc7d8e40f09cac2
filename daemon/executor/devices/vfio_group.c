#include "vfio_group.h"

#include "../../../policy/util/text.h"
#include "../../base/descriptors.h"
#include "pci_device.h"
#include "kernel_uapi.h"
#include "vfio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int vfio_open_container(const struct host *host, int *fd, char why[static TEXT_MAX])
{
	autoclose int opened = openat(host->dev, "vfio/vfio", O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (opened < 0) {
		int error = -errno;

		text_format(why, TEXT_MAX, "cannot open /dev/vfio/vfio: %s",
			    error == -ENOENT ? "the module vfio is not loaded (modprobe vfio_pci)" : strerror(-error));
		return error;
	}
	if (!vfio_is_container(host, opened) || ioctl(opened, VFIO_GET_API_VERSION) != VFIO_API_VERSION) {
		text_format(why, TEXT_MAX, "/dev/vfio/vfio is not a VFIO container");
		return -ENODEV;
	}
	if (ioctl(opened, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) != 1) {
		text_format(why, TEXT_MAX, "VFIO has no type 1 IOMMU: the module vfio_iommu_type1 is not loaded");
		return -ENOTSUP;
	}
	*fd = descriptor_take(&opened);
	return 0;
}

bool vfio_is_container(const struct host *host, int fd)
{
	struct stat node, status;

	return fstatat(host->dev, "vfio/vfio", &node, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(node.st_mode) &&
	       fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == node.st_rdev;
}

int vfio_group_node(const struct host *host, int folder, char node[static DEVICE_NAME_MAX], dev_t *number)
{
	char path[64];
	int32_t group;
	int error = pci_device_group(folder, &group);

	if (error < 0 || group < 0)
		return -ENODEV;
	snprintf(path, sizeof(path), "class/vfio/%d/dev", group);
	error = sysfs_read_device_number(host->sys, path, number);
	if (error < 0)
		return error == -ENOENT ? -ENODEV : error;
	text_format(node, DEVICE_NAME_MAX, "vfio/%d", group);
	return 0;
}

int vfio_open_group(const struct host *host, const char *device, int folder, int *fd, char why[static TEXT_MAX])
{
	char node[DEVICE_NAME_MAX] = "vfio";
	autoclose int opened = -1;
	struct stat status;
	dev_t number;
	int error = vfio_group_node(host, folder, node, &number);

	if (error == 0 && (opened = openat(host->dev, node, O_RDWR | O_CLOEXEC | O_NOFOLLOW)) < 0)
		error = -errno;
	if (error == 0 && (fstat(opened, &status) < 0 || !S_ISCHR(status.st_mode) || status.st_rdev != number))
		error = -ENODEV;
	if (error == -EBUSY)
		text_format(why, TEXT_MAX, "%s: a process has its IOMMU group (/dev/%s) open, or a device of it",
			    device, node);
	else if (error == -ENODEV)
		text_format(why, TEXT_MAX, "%s no longer has a VFIO group node: its driver was unbound", device);
	else if (error < 0)
		text_format(why, TEXT_MAX, "%s: cannot open its IOMMU group /dev/%s: %s", device, node,
			    strerror(-error));
	if (error == 0)
		*fd = descriptor_take(&opened);
	return error;
}

/* The kernel does not say which member it is. */
static int not_viable(const struct host *host, const char *device, int error, char why[static TEXT_MAX])
{
	char members[TEXT_MAX / 2];

	if (vfio_members_on_host_drivers(host, device, members, sizeof(members)) > 0)
		text_format(why, TEXT_MAX, "%s: members of its IOMMU group are on host drivers: %s", device, members);
	else
		text_format(why, TEXT_MAX,
			    "%s: failed to add its IOMMU group to a container: %s (does this machine have interrupt "
			    "remapping?)",
			    device, strerror(-error));
	return error;
}

int vfio_join_container(const struct host *host, const char *device, int group, int container,
			char why[static TEXT_MAX])
{
	struct vfio_group_status status = { .argsz = sizeof(status) };

	if (ioctl(group, VFIO_GROUP_GET_STATUS, &status) < 0)
		return not_viable(host, device, -errno, why);
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		return not_viable(host, device, -EPERM, why);
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) < 0)
		return not_viable(host, device, -errno, why);
	/* Of the first group; a container that has its IOMMU already says so by EINVAL. */
	if (ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) == 0 || errno == EINVAL)
		return 0;
	return not_viable(host, device, -errno, why);
}

int vfio_open_by_group(const char *device, int group, int *fd, char why[static TEXT_MAX])
{
	int opened = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, device);
	int error = -errno;

	if (opened < 0) {
		text_format(why, TEXT_MAX, "failed to open %s by its IOMMU group: %s", device, strerror(-error));
		return error;
	}
	/* The kernel opens it with close-on-exec. */
	*fd = opened;
	return 0;
}

int vfio_empty_container(int container, char why[static TEXT_MAX])
{
	struct vfio_iommu_type1_dma_unmap unmap = { .argsz = sizeof(unmap), .flags = VFIO_DMA_UNMAP_FLAG_ALL };
	int error;

	/* EINVAL: it has no IOMMU any more, and so no mappings. */
	if (ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap) == 0 || errno == EINVAL)
		return 0;
	error = -errno;
	text_format(why, TEXT_MAX, "failed to remove the mappings of the claim: %s", strerror(-error));
	return error;
}
