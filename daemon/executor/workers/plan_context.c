#include "plan_context.h"

#include "../devices/device_kind.h"
#include "../devices/pci_device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

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
static int lock_devices(struct plan_context *context)
{
	const struct plan_run *run = &context->run;

	context->lock = openat(context->host->sys, "bus/pci/drivers_probe", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (context->lock < 0)
		return -errno;
	for (size_t i = 0; i < run->device_count; i++) {
		struct flock lock = {
			.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = lock_place(run->device[i].name), .l_len = 1
		};

		while (fcntl(context->lock, F_OFD_SETLKW, &lock) < 0)
			if (errno != EINTR)
				return -errno;
	}
	return 0;
}

static int open_devices(struct plan_context *context)
{
	context->device = calloc(context->run.device_count + 1, sizeof(*context->device));
	if (!context->device)
		return -ENOMEM;
	for (size_t i = 0; i < context->run.device_count; i++) {
		struct plan_device *planned = &context->run.device[i];
		struct context_device *device = &context->device[i];
		uint64_t identity;

		device->fd = device->group_fd = -1;
		device->folder = device_open(context->host, planned->name);
		if (device->folder < 0) {
			device->folder = -1;
			continue;
		}
		/* Another device in its place: ours is gone. */
		if (device_identity(planned->name, device->folder, &identity) < 0 || identity != planned->identity)
			descriptor_close(&device->folder);
		else
			pci_device_group(device->folder, &planned->group);
	}
	return 0;
}

int plan_context_begin(struct plan_context *context, const struct host *host, const struct host_calls *calls,
		       struct wire_plan_inbox *inbox)
{
	int error;

	*context = (struct plan_context){
		.host = host,
		.lock = -1,
		.context = descriptor_take(&inbox->enclosure.context),
		.proof_context = -1,
		.proof = inbox->enclosure.proof,
		.peer = inbox->enclosure.peer,
		.peer_uid = inbox->enclosure.owner.subject.uid,
		.peer_fd = descriptor_take(&inbox->enclosure.peer_fd),
	};
	error = plan_run_begin(&context->run, calls, &inbox->plan, inbox->kind == WIRE_PLAN_RELEASE);
	context->run.context_passed = context->context >= 0;
	if (error == 0)
		error = lock_devices(context);
	if (error == 0)
		error = open_devices(context);
	return error;
}

void plan_context_end(struct plan_context *context)
{
	for (size_t i = 0; context->device && i < context->run.device_count; i++) {
		descriptor_close(&context->device[i].fd);
		descriptor_close(&context->device[i].group_fd);
		descriptor_close(&context->device[i].folder);
	}
	descriptor_close(&context->context);
	descriptor_close(&context->proof_context);
	descriptor_close(&context->peer_fd);
	descriptor_close(&context->lock);
	free(context->device);
	plan_run_end(&context->run);
	*context = (struct plan_context){ .lock = -1, .context = -1, .proof_context = -1, .peer_fd = -1 };
}

struct context_device *plan_context_device(const struct plan_context *context, const struct plan_device *device)
{
	return &context->device[device - context->run.device];
}
