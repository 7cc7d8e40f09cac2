/*
 * Stacks block devices as LVM and mdadm do, without them: a linear device-mapper device over a whole one, and a RAID 1
 * over two, with nothing written on the disks.
 *
 * usage: stack-block linear NAME UUID DEVICE     prints the new device's name, dm-0
 *        stack-block unlinear NAME
 *        stack-block raid1 MD-DEVICE DEVICE DEVICE
 *        stack-block unraid MD-DEVICE
 */
#include "rig.h"

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <linux/major.h>
#include <linux/raid/md_p.h>
#include <linux/raid/md_u.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* A request to the device mapper with room for one target and its parameters. */
struct mapper_request {
	struct dm_ioctl head;
	struct dm_target_spec target;
	char parameters[256];
};

static int open_device(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		die_errno("%s", path);
	return fd;
}

static unsigned long long size_of(const char *path)
{
	unsigned long long size;
	int fd = open_device(path, O_RDONLY);

	if (ioctl(fd, BLKGETSIZE64, &size) < 0)
		die_errno("%s: size", path);
	close(fd);
	return size;
}

static dev_t number_of_device(const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0)
		die_errno("%s", path);
	return status.st_rdev;
}

static void ask_mapper(struct mapper_request *request, unsigned long command, const char *what)
{
	int fd = open_device("/dev/mapper/control", O_RDWR);

	if (ioctl(fd, command, request) < 0)
		die_errno("device mapper: %s", what);
	close(fd);
}

static struct mapper_request make_request(const char *name)
{
	struct mapper_request request = {
		.head = { .version = { DM_VERSION_MAJOR, 0, 0 },
			  .data_size = sizeof(request),
			  .data_start = sizeof(request.head) },
	};

	snprintf(request.head.name, sizeof(request.head.name), "%s", name);
	return request;
}

static void make_linear(const char *name, const char *uuid, const char *device)
{
	struct mapper_request request = make_request(name);
	dev_t below = number_of_device(device);

	snprintf(request.head.uuid, sizeof(request.head.uuid), "%s", uuid);
	ask_mapper(&request, DM_DEV_CREATE, "create");
	printf("dm-%u\n", minor(request.head.dev));
	request = make_request(name);
	request.head.target_count = 1;
	request.target.length = size_of(device) / 512;
	snprintf(request.target.target_type, sizeof(request.target.target_type), "linear");
	snprintf(request.parameters, sizeof(request.parameters), "%u:%u 0", major(below), minor(below));
	ask_mapper(&request, DM_TABLE_LOAD, "load");
	request = make_request(name);
	ask_mapper(&request, DM_DEV_SUSPEND, "resume");
}

static void make_raid(const char *array, char **device)
{
	mdu_array_info_t info = { .level = 1,
				  .raid_disks = 2,
				  .nr_disks = 2,
				  .not_persistent = 1,
				  .chunk_size = 65536,
				  .state = 1 << MD_SB_CLEAN };
	int fd = open_device(array, O_RDWR);

	info.md_minor = (int)minor(number_of_device(array));
	info.size = (int)(size_of(device[0]) / 1024);
	if (ioctl(fd, SET_ARRAY_INFO, &info) < 0)
		die_errno("%s: array info", array);
	for (int i = 0; i < 2; i++) {
		dev_t number = number_of_device(device[i]);
		mdu_disk_info_t disk = { .number = i,
					 .raid_disk = i,
					 .major = (int)major(number),
					 .minor = (int)minor(number),
					 .state = 1 << MD_DISK_ACTIVE | 1 << MD_DISK_SYNC };

		if (ioctl(fd, ADD_NEW_DISK, &disk) < 0)
			die_errno("%s: add %s", array, device[i]);
	}
	if (ioctl(fd, RUN_ARRAY, NULL) < 0)
		die_errno("%s: run", array);
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "linear") == 0) {
		make_linear(argv[2], argv[3], argv[4]);
	} else if (argc == 3 && strcmp(argv[1], "unlinear") == 0) {
		struct mapper_request request = make_request(argv[2]);

		ask_mapper(&request, DM_DEV_REMOVE, "remove");
	} else if (argc == 5 && strcmp(argv[1], "raid1") == 0) {
		make_raid(argv[2], argv + 3);
	} else if (argc == 3 && strcmp(argv[1], "unraid") == 0) {
		if (ioctl(open_device(argv[2], O_RDWR), STOP_ARRAY, NULL) < 0)
			die_errno("%s: stop", argv[2]);
	} else {
		die("usage: stack-block linear NAME UUID DEVICE | unlinear NAME | raid1 MD DEVICE DEVICE | unraid MD");
	}
	return 0;
}
