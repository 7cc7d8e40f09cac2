/*
 * Maps BAR 0 of a device and closes every FD that it has been given, its lease among them; keeps the mapping until its
 * stdin ends.
 *
 * usage: keep-mapping DEVICE_FD --touch FILE
 */
#include "rig.h"

#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FD_LIMIT = 1024 };

int main(int argc, char **argv)
{
	struct vfio_region_info region = { .argsz = sizeof(region), .index = VFIO_PCI_BAR0_REGION_INDEX };
	int device;
	char byte;

	if (argc != 4 || strcmp(argv[2], "--touch") != 0)
		die("usage: keep-mapping DEVICE_FD --touch FILE");
	device = (int)number_of("DEVICE_FD", argv[1], FD_LIMIT);
	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &region) < 0)
		die_errno("the device has no BAR 0");
	if (mmap(NULL, region.size, PROT_READ | PROT_WRITE, MAP_SHARED, device, (off_t)region.offset) == MAP_FAILED)
		die_errno("BAR 0 can't be mapped");
	for (int fd = 3; fd < FD_LIMIT; fd++)
		close(fd);
	if (open(argv[3], O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0)
		die_errno("can't make %s", argv[3]);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return EXIT_SUCCESS;
}
