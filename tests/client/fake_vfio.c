/*
 * Stands in for the kernel where libioasid opens a device through its IOMMU group: the program that this is linked into
 * has its own ioctl(), which the library calls, too. A "group" is a memfd called group-NUMBER. It opens devices as the
 * kernel would, as a memfd called device-ADDRESS, but for one called "0000:0e:0e.0", which no driver has.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_device(int group, const char *address)
{
	char path[64], target[256] = "", name[256];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", group);
	if (readlink(path, target, sizeof(target) - 1) < 0 || strncmp(target, "/memfd:group-", 13) != 0) {
		errno = ENOTTY;
		return -1;
	}
	if (strcmp(address, "0000:0e:0e.0") == 0) {
		errno = ENODEV;
		return -1;
	}
	snprintf(name, sizeof(name), "device-%s", address);
	return memfd_create(name, MFD_CLOEXEC);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	if (request == VFIO_GROUP_GET_DEVICE_FD)
		return open_device(fd, argument);
	return (int)syscall(SYS_ioctl, fd, request, argument);
}
