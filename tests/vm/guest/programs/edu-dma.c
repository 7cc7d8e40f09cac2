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
#include "rig.h"
#include "uapi.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	/* Registers in BAR 0 of edu, see QEMU's docs/specs/edu.txt. */
	EDU_ID = 0x00,
	EDU_IRQ_ACKNOWLEDGE = 0x64,
	EDU_DMA_SOURCE = 0x80,
	EDU_DMA_DESTINATION = 0x88,
	EDU_DMA_COUNT = 0x90,
	EDU_DMA_COMMAND = 0x98,
	EDU_BUFFER = 0x40000,
	EDU_START = 1 << 0,
	EDU_TO_MEMORY = 1 << 1,
	EDU_RAISE_IRQ = 1 << 2,
	EDU_IRQ_OF_DMA = 0x100,

	DMA_BYTES = 2048,
	PAGE = 4096,
	IOVA = 0x100000,
	DMA_DEADLINE_MS = 10000,
};

struct edu {
	int device; /* not ours to close: the claim ends with the process */
	int irq;    /* eventfd behind MSI 0 */
	uint64_t bar;
	uint64_t config;
};

/* Where memory is mapped for the device: an IOAS of an iommufd, or a container. */
struct space {
	int fd;
	bool is_container;
	uint32_t ioas;
};

static uint64_t region_offset(int device, unsigned index)
{
	struct vfio_region_info info = {.argsz = sizeof info, .index = index};

	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &info) < 0)
		die_errno("VFIO_DEVICE_GET_REGION_INFO of region %u", index);
	if (info.size == 0)
		die("region %u of the device is empty", index);
	return info.offset;
}

static void write_register(const struct edu *edu, unsigned reg, uint32_t value)
{
	if (pwrite(edu->device, &value, sizeof value, (off_t)(edu->bar + reg)) != sizeof value)
		die_errno("can't write register %#x", reg);
}

static uint32_t read_register(const struct edu *edu, unsigned reg)
{
	uint32_t value;

	if (pread(edu->device, &value, sizeof value, (off_t)(edu->bar + reg)) != sizeof value)
		die_errno("can't read register %#x", reg);
	return value;
}

static void enable_bus_mastering(const struct edu *edu)
{
	uint16_t command;
	off_t place = (off_t)(edu->config + PCI_COMMAND);

	if (pread(edu->device, &command, sizeof command, place) != sizeof command)
		die_errno("can't read the PCI command register");
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	if (pwrite(edu->device, &command, sizeof command, place) != sizeof command)
		die_errno("can't write the PCI command register");
}

static void enable_msi(struct edu *edu)
{
	struct vfio_irq_set *set;
	size_t size = sizeof *set + sizeof edu->irq;

	edu->irq = eventfd(0, EFD_CLOEXEC);
	set = calloc(1, size);
	if (edu->irq < 0 || !set)
		die_errno("can't make an eventfd for the interrupt");
	set->argsz = (uint32_t)size;
	set->flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	set->index = VFIO_PCI_MSI_IRQ_INDEX;
	set->count = 1;
	memcpy(set->data, &edu->irq, sizeof edu->irq);
	if (ioctl(edu->device, VFIO_DEVICE_SET_IRQS, set) < 0)
		die_errno("VFIO_DEVICE_SET_IRQS for MSI");
	free(set);
}

static void dma(const struct edu *edu, uint32_t source, uint32_t destination, uint32_t direction)
{
	struct pollfd wait = {.fd = edu->irq, .events = POLLIN};
	uint64_t count;
	int ready;

	write_register(edu, EDU_DMA_SOURCE, source);
	write_register(edu, EDU_DMA_DESTINATION, destination);
	write_register(edu, EDU_DMA_COUNT, DMA_BYTES);
	write_register(edu, EDU_DMA_COMMAND, EDU_START | EDU_RAISE_IRQ | direction);
	do
		ready = poll(&wait, 1, DMA_DEADLINE_MS);
	while (ready < 0 && errno == EINTR);
	if (ready < 0)
		die_errno("poll");
	if (ready == 0)
		die("the device raised no interrupt within %d s after DMA from %#x to %#x (command register: %#x)",
		    DMA_DEADLINE_MS / 1000, source, destination, read_register(edu, EDU_DMA_COMMAND));
	if (read(edu->irq, &count, sizeof count) != sizeof count)
		die_errno("can't read the eventfd");
	write_register(edu, EDU_IRQ_ACKNOWLEDGE, EDU_IRQ_OF_DMA);
}

static void map_in_container(int container, void *memory, size_t length)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof map,
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)memory,
		.iova = IOVA,
		.size = length,
	};

	if (ioctl(container, VFIO_IOMMU_MAP_DMA, &map) < 0)
		die_errno("VFIO_IOMMU_MAP_DMA of %zu bytes", length);
}

static void map_memory(const struct space *space, void *memory, size_t length)
{
	struct uapi_ioas_map map = {
		.size = sizeof map,
		.flags = UAPI_MAP_FIXED_IOVA | UAPI_MAP_READABLE | UAPI_MAP_WRITEABLE,
		.ioas_id = space->ioas,
		.user_va = (uintptr_t)memory,
		.length = length,
		.iova = IOVA,
	};

	if (space->is_container)
		map_in_container(space->fd, memory, length);
	else if (ioctl(space->fd, UAPI_IOMMU_IOAS_MAP, &map) < 0)
		die_errno("IOMMU_IOAS_MAP of %zu bytes into IOAS %u", length, space->ioas);
}

/* Sends a pattern to the device and back and dies unless it returned unchanged. */
static void round_trip(const struct edu *edu, const struct space *space)
{
	unsigned char *memory;
	unsigned char *back;
	unsigned i;

	memory = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		die_errno("mmap");
	back = memory + PAGE;
	for (i = 0; i < DMA_BYTES; i++)
		memory[i] = (unsigned char)(i * 7 + (unsigned)getpid());
	memset(back, 0xff, PAGE);
	map_memory(space, memory, 2 * PAGE);
	dma(edu, IOVA, EDU_BUFFER, 0);
	dma(edu, EDU_BUFFER, IOVA + PAGE, EDU_TO_MEMORY);
	if (memcmp(memory, back, DMA_BYTES) != 0)
		die("what the device wrote is not what it had read");
	for (i = DMA_BYTES; i < PAGE; i++)
		if (back[i] != 0xff)
			die("the device wrote beyond the %d bytes that it was told", DMA_BYTES);
	printf("edu-dma: uid %u: the device read %d bytes of my memory and wrote them back, verified\n", getuid(),
	       DMA_BYTES);
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
static int read_space(struct space *space, int argc, char **argv)
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
	struct edu edu = {0};
	struct space space = {0};
	const char *mark = NULL;
	bool keep = false;
	uint32_t id;
	int i = read_space(&space, argc, argv);

	edu.device = (int)number_of("DEVICE_FD", argv[1], INT32_MAX);
	for (; i < argc; i++) {
		if (strcmp(argv[i], "--hold") == 0)
			keep = true;
		else if (strcmp(argv[i], "--touch") == 0 && i + 1 < argc)
			mark = argv[++i];
		else
			die("unknown option '%s'", argv[i]);
	}
	edu.bar = region_offset(edu.device, VFIO_PCI_BAR0_REGION_INDEX);
	edu.config = region_offset(edu.device, VFIO_PCI_CONFIG_REGION_INDEX);
	enable_bus_mastering(&edu);
	id = read_register(&edu, EDU_ID);
	if ((id & 0xff) != 0xed)
		die("this is no edu device: its identification reads %#x", id);
	enable_msi(&edu);
	round_trip(&edu, &space);
	if (mark)
		touch(mark);
	if (keep)
		hold();
	return 0;
}
