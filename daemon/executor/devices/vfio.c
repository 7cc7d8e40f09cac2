#include "vfio.h"

#include "../../../policy/util/text.h"
#include "../../base/descriptors.h"
#include "device_kind.h"
#include "pci_device.h"
#include "kernel_uapi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Objects of a context are numbered from 1 as they are made: QEMU's IOAS has a number below ten. */
enum { IOAS_SEARCHED = 1024 };

bool vfio_node_of(int folder, char node[static 32])
{
	DIR *stream = sysfs_list(folder, "vfio-dev");
	const struct dirent *entry;
	bool found = false;

	while (stream && !found && (entry = sysfs_next(stream)))
		if (strncmp(entry->d_name, "vfio", 4) == 0 && strlen(entry->d_name) < 32) {
			text_format(node, 32, "%s", entry->d_name);
			found = true;
		}
	if (stream)
		closedir(stream);
	return found;
}

int vfio_open_plain_context(const struct host *host, int *fd, char why[static TEXT_MAX])
{
	struct stat status;
	int opened = openat(host->dev, "iommu", O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (opened < 0) {
		int error = -errno;

		text_format(why, TEXT_MAX, "cannot open /dev/iommu: %s",
			    error == -ENOENT ? "this kernel has no iommufd" : strerror(-error));
		return error;
	}
	if (fstat(opened, &status) < 0 || !S_ISCHR(status.st_mode)) {
		close(opened);
		text_format(why, TEXT_MAX, "/dev/iommu is not a device");
		return -ENODEV;
	}
	*fd = opened;
	return 0;
}

int vfio_open_context(const struct host *host, int *fd, char why[static TEXT_MAX])
{
	struct iommu_option option = {
		.size = sizeof(option),
		.option_id = IOMMU_OPTION_RLIMIT_MODE,
		.op = IOMMU_OPTION_OP_SET,
		.val64 = 1,
	};
	autoclose int opened = -1;
	int error = vfio_open_plain_context(host, &opened, why);

	if (error < 0)
		return error;
	if (ioctl(opened, IOMMU_OPTION, &option) < 0) {
		error = -errno;
		text_format(why, TEXT_MAX, "failed to set the iommufd's accounting mode: %s%s", strerror(-error),
			    error == -EPERM ? " (the executor lacks CAP_SYS_RESOURCE)" : "");
		return error;
	}
	*fd = descriptor_take(&opened);
	return 0;
}

bool vfio_is_context(const struct host *host, int fd)
{
	struct stat node, status;

	return fstatat(host->dev, "iommu", &node, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(node.st_mode) &&
	       fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == node.st_rdev;
}

int vfio_open_device(const struct host *host, const char *device, int folder, int *fd, char why[static TEXT_MAX])
{
	char node[32], path[64];
	autoclose int opened = -1;
	struct stat status;
	dev_t number;
	int error;

	if (!vfio_node_of(folder, node)) {
		text_format(why, TEXT_MAX, "%s no longer has a VFIO device: its driver was unbound", device);
		return -ENODEV;
	}
	snprintf(path, sizeof(path), "vfio-dev/%s/dev", node);
	error = sysfs_read_device_number(folder, path, &number);
	snprintf(path, sizeof(path), "vfio/devices/%s", node);
	if (error == 0 && (opened = openat(host->dev, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW)) < 0)
		error = -errno;
	if (error == 0 && (fstat(opened, &status) < 0 || !S_ISCHR(status.st_mode) || status.st_rdev != number))
		error = -ENODEV;
	if (error < 0) {
		text_format(why, TEXT_MAX, "%s: cannot open its device /dev/%s: %s", device, path,
			    error == -ENODEV ? "it is not the device that sysfs shows" : strerror(-error));
		return error;
	}
	*fd = descriptor_take(&opened);
	return 0;
}

unsigned vfio_members_on_host_drivers(const struct host *host, const char *device, char *out, size_t size)
{
	char(*name)[DEVICE_NAME_MAX] = calloc(GROUP_MEMBERS_MAX, sizeof(*name));
	struct device member;
	unsigned found = 0;
	int count = -ENOMEM;

	out[0] = '\0';
	if (name && device_summary(host, device, &member) == 0 && member.group >= 0)
		count = pci_device_members(host, member.group, name, GROUP_MEMBERS_MAX);
	for (int i = 0; i < count; i++) {
		if (device_summary(host, name[i], &member) < 0 || device_is_bridge(&member) ||
		    !device_is_on_host_driver(&member))
			continue;
		text_append(out, size, "%s%s (%s)", found > 0 ? ", " : "", member.name, member.driver);
		found++;
	}
	free(name);
	return found;
}

/* EPERM, the one error that says least. */
static void explain_not_permitted(const struct host *host, const char *device, char why[static TEXT_MAX])
{
	char members[TEXT_MAX / 2];
	unsigned count = vfio_members_on_host_drivers(host, device, members, sizeof(members));

	if (count > 0)
		text_format(why, TEXT_MAX, "%s: members of its IOMMU group are on host drivers: %s", device, members);
	else
		text_format(
			why, TEXT_MAX,
			"%s: its IOMMU group belongs to another context, or this machine has no interrupt remapping",
			device);
}

int vfio_bind(const struct host *host, const char *device, int fd, int context, char why[static TEXT_MAX])
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = context };
	int error;

	if (ioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, &bind) == 0)
		return 0;
	error = -errno;
	if (error == -EPERM)
		explain_not_permitted(host, device, why);
	else if (error == -EINVAL)
		text_format(why, TEXT_MAX, "%s is already bound, by a process that has an FD of it", device);
	else if (error == -EBUSY)
		text_format(why, TEXT_MAX, "%s: a process has its IOMMU group open through the legacy interface",
			    device);
	else
		text_format(why, TEXT_MAX, "failed to bind %s to the iommufd: %s", device, strerror(-error));
	return error;
}

int vfio_allocate_ioas(int context, uint32_t *ioas, char why[static TEXT_MAX])
{
	struct iommu_ioas_alloc allocate = { .size = sizeof(allocate) };
	int error;

	if (ioctl(context, IOMMU_IOAS_ALLOC, &allocate) == 0) {
		*ioas = allocate.out_ioas_id;
		return 0;
	}
	error = -errno;
	text_format(why, TEXT_MAX, "failed to create an I/O address space: %s", strerror(-error));
	return error;
}

static int empty_ioas(int context, uint32_t ioas)
{
	struct iommu_ioas_unmap unmap = { .size = sizeof(unmap), .ioas_id = ioas, .length = UINT64_MAX };

	/* ENOENT: there is no such IOAS, or it is empty; EINVAL: the number is another object's. */
	if (ioctl(context, IOMMU_IOAS_UNMAP, &unmap) == 0 || errno == ENOENT || errno == EINVAL)
		return 0;
	return -errno;
}

int vfio_empty_context(int context, uint32_t ioas, char why[static TEXT_MAX])
{
	int error = ioas != 0 ? empty_ioas(context, ioas) : 0;

	for (uint32_t number = 1; number <= IOAS_SEARCHED; number++)
		if (number != ioas)
			empty_ioas(context, number);
	if (error < 0)
		text_format(why, TEXT_MAX, "failed to remove the mappings of the claim: %s", strerror(-error));
	return error;
}

int vfio_attach(const char *device, int fd, uint32_t ioas, char why[static TEXT_MAX])
{
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach), .pt_id = ioas };
	int error;

	if (ioctl(fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach) == 0)
		return 0;
	error = -errno;
	text_format(why, TEXT_MAX, "failed to attach %s to the I/O address space %u: %s", device, ioas,
		    error == -ENOENT ? "the context has no such number" : strerror(-error));
	return error;
}
