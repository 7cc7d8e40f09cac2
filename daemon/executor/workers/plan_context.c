#include "plan_context.h"

#include "../../../policy/util/text.h"
#include "../../base/log.h"
#include "../devices/pci_device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct run_device *)a)->name, ((const struct run_device *)b)->name);
}

/* All devices of the plan, once each, sorted. */
static int gather_devices(struct run *run)
{
	size_t count = 0, unique = 0;

	run->device = calloc(run->plan->count + 1, sizeof(*run->device));
	if (!run->device)
		return -ENOMEM;
	for (size_t i = 0; i < run->plan->count; i++) {
		const struct step *step = &run->plan->step[i];
		struct run_device *device = &run->device[count];

		if (!step->device[0])
			continue;
		memcpy(device->name, step->device, sizeof(device->name));
		device->identity = step->identity;
		device->folder = device->fd = device->group_fd = -1;
		count++;
	}
	qsort(run->device, count, sizeof(*run->device), compare_names);
	for (size_t i = 0; i < count; i++)
		if (unique == 0 || strcmp(run->device[unique - 1].name, run->device[i].name) != 0)
			run->device[unique++] = run->device[i];
		else if (run->device[unique - 1].identity != run->device[i].identity)
			return -EBADMSG;
	run->device_count = unique;
	return 0;
}

/* The bus, device and function as one number: a place of its own in the file for each device. */
static off_t lock_place(const char *name)
{
	off_t place = 0;

	for (const char *c = name; *c; c++)
		if (*c >= '0' && *c <= '9')
			place = place * 16 + (*c - '0');
		else if (*c >= 'a' && *c <= 'f')
			place = place * 16 + (*c - 'a') + 10;
	return place;
}

/*
 * Locks a byte of drivers_probe for each device. Only root can open that file for writing, so nobody else can stand in
 * the way; an executor whose broker died may still be at work there. In the order of the names, so that two plans never
 * wait for each other.
 */
static int lock_devices(struct run *run)
{
	run->lock = openat(run->host->sys, "bus/pci/drivers_probe", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (run->lock < 0)
		return -errno;
	for (size_t i = 0; i < run->device_count; i++) {
		struct flock lock = {
			.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = lock_place(run->device[i].name), .l_len = 1
		};

		while (fcntl(run->lock, F_OFD_SETLKW, &lock) < 0)
			if (errno != EINTR)
				return -errno;
	}
	return 0;
}

static void open_devices(struct run *run)
{
	for (size_t i = 0; i < run->device_count; i++) {
		struct run_device *device = &run->device[i];
		uint64_t identity;

		device->group = -1;
		device->folder = pci_device_open(run->host, device->name);
		if (device->folder < 0) {
			device->folder = -1;
			continue;
		}
		/* Another device in its place: ours is gone. */
		if (pci_device_identity(device->folder, &identity) < 0 || identity != device->identity)
			descriptor_close(&device->folder);
		else
			pci_device_group(device->folder, &device->group);
	}
}

int run_begin(struct run *run, const struct host *host, struct wire_plan_inbox *inbox)
{
	int error;

	*run = (struct run){
		.host = host,
		.plan = &inbox->plan,
		.lock = -1,
		.context = descriptor_take(&inbox->enclosure.context),
		.proof_context = -1,
		.peer = inbox->enclosure.peer,
		.peer_uid = inbox->enclosure.owner.subject.uid,
		.peer_fd = descriptor_take(&inbox->enclosure.peer_fd),
	};
	run->context_passed = run->context >= 0;
	error = gather_devices(run);
	if (error == 0)
		error = lock_devices(run);
	if (error == 0)
		open_devices(run);
	return error;
}

void run_end(struct run *run)
{
	for (size_t i = 0; i < run->device_count; i++) {
		descriptor_close(&run->device[i].fd);
		descriptor_close(&run->device[i].group_fd);
		descriptor_close(&run->device[i].folder);
	}
	descriptor_close(&run->context);
	descriptor_close(&run->proof_context);
	descriptor_close(&run->peer_fd);
	descriptor_close(&run->lock);
	free(run->device);
	*run = (struct run){ .lock = -1, .context = -1, .proof_context = -1, .peer_fd = -1 };
}

struct run_device *run_device_of(const struct run *run, const struct step *step)
{
	size_t low = 0, high = run->device_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(run->device[middle].name, step->device);

		if (order == 0)
			return &run->device[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

struct run_device *run_present(struct run *run, const struct step *step)
{
	struct run_device *device = run_device_of(run, step);

	if (device && device->folder >= 0 && !pci_device_is_gone(device->folder))
		return device;
	run_fail(run, -ENODEV, "%s was removed meanwhile", step->device);
	return NULL;
}

struct pci_driver_subject run_subject(const struct run *run, const struct run_device *device)
{
	return (struct pci_driver_subject){ .host = run->host, .name = device->name, .folder = device->folder };
}

int run_fail(struct run *run, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	text_format_list(run->why, sizeof(run->why), format, arguments);
	va_end(arguments);
	return error;
}
