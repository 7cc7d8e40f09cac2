#include "watcher_link.h"

#include "../../base/log.h"

#include <errno.h>
#include <string.h>

int watching_start(struct watching *watching, struct crew *crew, struct grants *grants)
{
	*watching = (struct watching){ .crew = crew, .grants = grants, .worker = { .socket = -1 } };
	return crew_start(crew, &watching->worker, WORKER_WATCHER);
}

static void restart(struct watching *watching)
{
	crew_lost(watching->crew, &watching->worker, WORKER_WATCHER);
	known_devices_unsee(&watching->known);
	/* Without a watcher the broker's picture of the host would grow old unnoticed. */
	if (!watching->crew->hopeless && crew_start(watching->crew, &watching->worker, WORKER_WATCHER) < 0)
		watching->crew->hopeless = true;
}

/* A second watcher can't know which devices that the first one told are gone by now. */
static void tell_gone(struct watching *watching)
{
	const struct known_device *unseen;

	while ((unseen = known_devices_unseen(&watching->known))) {
		union wire_message gone;

		memset(&gone.device_gone, 0, sizeof(gone.device_gone));
		memcpy(gone.device_gone.name, unseen->name, strlen(unseen->name) + 1);
		known_devices_forget(&watching->known, unseen->name);
		wire_stamp(&gone, WIRE_DEVICE_GONE, 0);
		outbox_send(&watching->crew->outbox, &gone, NULL);
	}
}

void watching_complete(struct watching *watching)
{
	union wire_message message;

	if (!watching->listed || watching->complete)
		return;
	watching->complete = true;
	wire_stamp(&message, WIRE_TOPOLOGY_DONE, 0);
	outbox_send(&watching->crew->outbox, &message, NULL);
}

/* Passes one message on. False: not one of a watcher's. */
static bool pass_on(struct watching *watching, const union wire_message *message)
{
	if (message->header.type == WIRE_DEVICE) {
		if (known_devices_see(&watching->known, message->device.device.name, "") < 0)
			return false;
	} else if (message->header.type == WIRE_DEVICE_GONE) {
		known_devices_forget(&watching->known, message->device_gone.name);
	} else if (message->header.type == WIRE_NODE) {
		grants_renew(watching->grants, message->node.name);
		return true;
	} else if (message->header.type == WIRE_TOPOLOGY_DONE) {
		crew_worked(watching->crew);
		watching->worker.ready = watching->listed = true;
		/* What udev did between two watchers nobody has told. */
		grants_renew(watching->grants, NULL);
		tell_gone(watching);
		return true;
	} else {
		return false;
	}
	outbox_send(&watching->crew->outbox, message, NULL);
	return true;
}

void watching_readable(struct watching *watching)
{
	while (outbox_is_empty(&watching->crew->outbox)) {
		autoclose_list struct descriptors fds = { .count = 0 };
		union wire_message message;
		int got = wire_receive(watching->worker.socket, &message, &fds);

		if (got == -EAGAIN)
			return;
		if (got <= 0 || !pass_on(watching, &message)) {
			restart(watching);
			return;
		}
	}
}

void watching_end(struct watching *watching)
{
	worker_end(&watching->worker);
	known_devices_done(&watching->known);
}
