/*
 * What ioasidd's legacy delivery is compared with: root opens a container, the group of a device that is bound to
 * vfio-pci already, and the device, ready for use (type1v2), and runs a command that inherits them: the container as
 * FD 3, the group as FD 4, the device as FD 5. Who runs the command and its limits are for the command itself.
 *
 * usage: open-group ADDRESS -- COMMAND…
 */
#include "rig.h"

#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { CONTAINER = 3, GROUP, DEVICE, PATH_SIZE = 512 };

/* All lower FDs are taken and all higher ones free, so FDs come in order. */
static void check_number(int fd, int number, const char *what)
{
	if (fd < 0)
		die_errno("can't open %s", what);
	if (fd != number)
		die("%s has become FD %d instead of %d: are 0, 1 and 2 open?", what, fd, number);
}

/* The path of the node of its group. */
static void find_group(const char *address, char *path, size_t size)
{
	char link[PATH_SIZE], target[PATH_SIZE];
	ssize_t length;

	snprintf(link, sizeof link, "/sys/bus/pci/devices/%.64s/iommu_group", address);
	length = readlink(link, target, sizeof target - 1);
	if (length < 0)
		die_errno("%s has no group", address);
	target[length] = '\0';
	snprintf(path, size, "/dev/vfio/%.32s", strrchr(target, '/') + 1);
}

static void open_all(const char *address)
{
	struct vfio_group_status status = { .argsz = sizeof status };
	int container = CONTAINER;
	char path[PATH_SIZE];

	check_number(open("/dev/vfio/vfio", O_RDWR), CONTAINER, "/dev/vfio/vfio");
	if (ioctl(CONTAINER, VFIO_GET_API_VERSION) != VFIO_API_VERSION ||
	    ioctl(CONTAINER, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) != 1)
		die("this kernel's VFIO has no type1v2");
	find_group(address, path, sizeof path);
	check_number(open(path, O_RDWR), GROUP, path);
	if (ioctl(GROUP, VFIO_GROUP_GET_STATUS, &status) < 0)
		die_errno("VFIO_GROUP_GET_STATUS of %s", path);
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		die("the group %s is not viable: a member is still on a driver of the host", path);
	if (ioctl(GROUP, VFIO_GROUP_SET_CONTAINER, &container) < 0)
		die_errno("VFIO_GROUP_SET_CONTAINER");
	if (ioctl(CONTAINER, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0)
		die_errno("VFIO_SET_IOMMU");
	check_number(ioctl(GROUP, VFIO_GROUP_GET_DEVICE_FD, address), DEVICE, address);
	/* The kernel opens devices with O_CLOEXEC. */
	if (fcntl(DEVICE, F_SETFD, 0) < 0)
		die_errno("can't hand on the device");
}

int main(int argc, char **argv)
{
	if (argc < 4 || strcmp(argv[2], "--") != 0)
		die("usage: open-group ADDRESS -- COMMAND…");
	closefrom(CONTAINER);
	open_all(argv[1]);
	execvp(argv[3], argv + 3);
	die_errno("can't run %s", argv[3]);
}
