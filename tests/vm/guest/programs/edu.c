/* See edu.h. */
#include "edu.h"

#include "rig.h"
#include "uapi.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
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

	IOVA = 0x100000,
	DMA_DEADLINE_MS = 10000,
};

static uint64_t region_offset(int device, unsigned index)
{
	struct vfio_region_info info = { .argsz = sizeof info, .index = index };

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

static void map_in_container(int container, void *memory)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof map,
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)memory,
		.iova = IOVA,
		.size = EDU_MEMORY,
	};

	if (ioctl(container, VFIO_IOMMU_MAP_DMA, &map) < 0)
		die_errno("VFIO_IOMMU_MAP_DMA of %d bytes", EDU_MEMORY);
}

void edu_map(const struct edu_space *space, void *memory)
{
	struct uapi_ioas_map map = {
		.size = sizeof map,
		.flags = UAPI_MAP_FIXED_IOVA | UAPI_MAP_READABLE | UAPI_MAP_WRITEABLE,
		.ioas_id = space->ioas,
		.user_va = (uintptr_t)memory,
		.length = EDU_MEMORY,
		.iova = IOVA,
	};

	if (space->is_container)
		map_in_container(space->fd, memory);
	else if (ioctl(space->fd, UAPI_IOMMU_IOAS_MAP, &map) < 0)
		die_errno("IOMMU_IOAS_MAP of %d bytes into IOAS %u", EDU_MEMORY, space->ioas);
}

void edu_open(struct edu *edu, int device)
{
	uint32_t id;

	edu->device = device;
	edu->bar = region_offset(device, VFIO_PCI_BAR0_REGION_INDEX);
	edu->config = region_offset(device, VFIO_PCI_CONFIG_REGION_INDEX);
	enable_bus_mastering(edu);
	id = read_register(edu, EDU_ID);
	if ((id & 0xff) != 0xed)
		die("this is no edu device: its identification reads %#x", id);
	enable_msi(edu);
}

static void start(const struct edu *edu, uint32_t source, uint32_t destination, uint32_t direction)
{
	write_register(edu, EDU_DMA_SOURCE, source);
	write_register(edu, EDU_DMA_DESTINATION, destination);
	write_register(edu, EDU_DMA_COUNT, EDU_BYTES);
	write_register(edu, EDU_DMA_COMMAND, EDU_START | EDU_RAISE_IRQ | direction);
}

void edu_start_reading(const struct edu *edu)
{
	start(edu, IOVA, EDU_BUFFER, 0);
}

void edu_start_writing(const struct edu *edu)
{
	start(edu, EDU_BUFFER, IOVA + EDU_PAGE, EDU_TO_MEMORY);
}

void edu_wait(const struct edu *edu)
{
	struct pollfd wait = { .fd = edu->irq, .events = POLLIN };
	uint64_t count;
	int ready;

	do
		ready = poll(&wait, 1, DMA_DEADLINE_MS);
	while (ready < 0 && errno == EINTR);
	if (ready < 0)
		die_errno("poll");
	if (ready == 0)
		die("the device raised no interrupt within %d s after DMA (command register: %#x)",
		    DMA_DEADLINE_MS / 1000, read_register(edu, EDU_DMA_COMMAND));
	if (read(edu->irq, &count, sizeof count) != sizeof count)
		die_errno("can't read the eventfd");
	write_register(edu, EDU_IRQ_ACKNOWLEDGE, EDU_IRQ_OF_DMA);
}

void edu_prepare(unsigned char *memory, unsigned seed)
{
	unsigned i;

	for (i = 0; i < EDU_BYTES; i++)
		memory[i] = (unsigned char)(i * 7 + seed);
	memset(memory + EDU_PAGE, 0xff, EDU_PAGE);
}

void edu_verify(const unsigned char *memory)
{
	const unsigned char *back = memory + EDU_PAGE;
	unsigned i;

	if (memcmp(memory, back, EDU_BYTES) != 0)
		die("what the device wrote is not what it had read");
	for (i = EDU_BYTES; i < EDU_PAGE; i++)
		if (back[i] != 0xff)
			die("the device wrote beyond the %d bytes that it was told", EDU_BYTES);
}
