/*
 * What ioasidd's mode "open" is compared with: root opens an iommufd in accounting mode and the cdevs of devices that
 * are bound to vfio-pci already, binds none of them, and runs a command that inherits them: the iommufd as FD 3, the
 * devices in their order from FD 4 on. Who runs the command, and with which limits, is up to the command itself.
 *
 * usage: open-for-qemu ADDRESS… -- COMMAND…
 */
#include "rig.h"
#include "uapi.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_FD = 3, PATH_SIZE = 512 };

/* A caller may have left 0, 1 or 2 closed, hence not simply the next one. */
static void open_as(int number, const char *path)
{
	int fd = open(path, O_RDWR);

	if (fd < 0)
		die_errno("can't open %s", path);
	if (fd != number && (dup2(fd, number) < 0 || close(fd) < 0))
		die_errno("can't make %s FD %d", path, number);
}

static void open_context(void)
{
	struct uapi_option mode = {
		.size = sizeof mode,
		.option_id = UAPI_OPTION_RLIMIT_MODE,
		.op = UAPI_OPTION_SET,
		.val64 = 1,
	};

	open_as(FIRST_FD, "/dev/iommu");
	if (ioctl(FIRST_FD, UAPI_IOMMU_OPTION, &mode) < 0)
		die_errno("can't set the accounting mode");
}

static void open_device(int number, const char *address)
{
	char path[PATH_SIZE];
	struct dirent *entry;
	DIR *folder;

	snprintf(path, sizeof path, "/sys/bus/pci/devices/%.64s/vfio-dev", address);
	folder = opendir(path);
	if (!folder)
		die_errno("can't open %s: is it bound to vfio-pci?", path);
	do
		entry = readdir(folder);
	while (entry && entry->d_name[0] == '.');
	if (!entry)
		die("%s is empty", path);
	snprintf(path, sizeof path, "/dev/vfio/devices/%s", entry->d_name);
	closedir(folder);
	open_as(number, path);
}

int main(int argc, char **argv)
{
	int i;

	closefrom(FIRST_FD);
	open_context();
	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		open_device(FIRST_FD + i, argv[i]);
	if (i == 1 || i + 1 >= argc)
		die("usage: open-for-qemu ADDRESS… -- COMMAND…");
	execvp(argv[i + 1], argv + i + 1);
	die_errno("can't run %s", argv[i + 1]);
}
