/*
 * A user-space driver of QEMU's edu device (1234:11e8), as an unprivileged client of ioasidd runs it: with a device FD
 * that is bound and attached, and an iommufd and the number of an IOAS, or the container of legacy VFIO. It maps its
 * own memory, has the device read it and write it back to another place by DMA, waits for each end by MSI, and
 * compares. It opens nothing.
 *
 * usage: edu-dma DEVICE_FD IOMMUFD IOASID [--hold] [--touch FILE]
 *        edu-dma DEVICE_FD --container=FD [--hold] [--touch FILE]
 *   --container  map by VFIO_IOMMU_MAP_DMA (type1v2)
 *   --hold       afterwards keep everything until stdin ends or a signal comes
 *   --touch      create FILE once the DMA is verified, for whoever waits for that
 */
#include "edu.h"
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Sends a pattern to the device and back and dies unless it returned unchanged. */
static void round_trip(const struct edu *edu, const struct edu_space *space)
{
	unsigned char *memory = mmap(NULL, EDU_MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die_errno("mmap");
	edu_prepare(memory, (unsigned)getpid());
	edu_map(space, memory);
	edu_start_reading(edu);
	edu_wait(edu);
	edu_start_writing(edu);
	edu_wait(edu);
	edu_verify(memory);
	printf("edu-dma: uid %u: the device read %d bytes of my memory and wrote them back, verified\n", getuid(),
	       EDU_BYTES);
	fflush(stdout);
}

static void hold(void)
{
	char ignored[64];
	ssize_t got;

	puts("edu-dma: holding the device until stdin ends");
	fflush(stdout);
	do
		got = read(STDIN_FILENO, ignored, sizeof ignored);
	while (got > 0 || (got < 0 && errno == EINTR));
	if (got < 0)
		die_errno("can't read stdin");
	puts("edu-dma: letting go");
}

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0)
		die_errno("can't create %s", path);
	close(fd);
}

/* Reads where to map out of the arguments behind the device's; returns the index of the first option. */
static int read_space(struct edu_space *space, int argc, char **argv)
{
	static const char option[] = "--container=";

	if (argc >= 3 && strncmp(argv[2], option, sizeof option - 1) == 0) {
		space->fd = (int)number_of("--container", argv[2] + sizeof option - 1, INT32_MAX);
		space->is_container = true;
		return 3;
	}
	if (argc < 4)
		die("usage: edu-dma DEVICE_FD IOMMUFD IOASID | DEVICE_FD --container=FD [--hold] [--touch FILE]");
	space->fd = (int)number_of("IOMMUFD", argv[2], INT32_MAX);
	space->ioas = (uint32_t)number_of("IOASID", argv[3], UINT32_MAX);
	return 4;
}

int main(int argc, char **argv)
{
	struct edu edu = { 0 };
	struct edu_space space = { 0 };
	const char *mark = NULL;
	bool keep = false;
	int device, i = read_space(&space, argc, argv);

	device = (int)number_of("DEVICE_FD", argv[1], INT32_MAX);
	for (; i < argc; i++) {
		if (strcmp(argv[i], "--hold") == 0)
			keep = true;
		else if (strcmp(argv[i], "--touch") == 0 && i + 1 < argc)
			mark = argv[++i];
		else
			die("unknown option '%s'", argv[i]);
	}
	edu_open(&edu, device);
	round_trip(&edu, &space);
	if (mark)
		touch(mark);
	if (keep)
		hold();
	return 0;
}
