#include "watcher_link.h"

#include "../../base/log.h"

#include <errno.h>
#include <string.h>

int watcher_link_start(struct watcher_link *link, struct supervisor *supervisor, struct binder_pool *pool)
{
	*link = (struct watcher_link){ .supervisor = supervisor, .pool = pool, .worker = { .socket = -1 } };
	return supervisor_start(supervisor, &link->worker, WORKER_WATCHER);
}

static void restart(struct watcher_link *link)
{
	supervisor_lost(link->supervisor, &link->worker, WORKER_WATCHER);
	known_devices_unsee(&link->known);
	/* Without a watcher the broker's picture of the host would grow old unnoticed. */
	if (!link->supervisor->hopeless && supervisor_start(link->supervisor, &link->worker, WORKER_WATCHER) < 0)
		link->supervisor->hopeless = true;
}

/* A second watcher can't know which devices that the first one told are gone by now. */
static void tell_gone(struct watcher_link *link)
{
	const struct known_device *unseen;

	while ((unseen = known_devices_unseen(&link->known))) {
		union wire_message gone;

		memset(&gone.device_gone, 0, sizeof(gone.device_gone));
		memcpy(gone.device_gone.name, unseen->name, strlen(unseen->name) + 1);
		known_devices_forget(&link->known, unseen->name);
		wire_stamp(&gone, WIRE_DEVICE_GONE, 0);
		outbox_send(&link->supervisor->outbox, &gone, NULL);
	}
}

void watcher_link_complete(struct watcher_link *link)
{
	union wire_message message;

	if (!link->listed || link->complete)
		return;
	link->complete = true;
	wire_stamp(&message, WIRE_TOPOLOGY_DONE, 0);
	outbox_send(&link->supervisor->outbox, &message, NULL);
}

/* Passes one message on. False: not one of a watcher's. */
static bool pass_on(struct watcher_link *link, const union wire_message *message)
{
	if (message->header.type == WIRE_DEVICE) {
		if (known_devices_see(&link->known, message->device.device.name, "") < 0)
			return false;
	} else if (message->header.type == WIRE_DEVICE_GONE) {
		known_devices_forget(&link->known, message->device_gone.name);
	} else if (message->header.type == WIRE_NODE) {
		binder_pool_nodes_changed(link->pool, message->node.name);
		return true;
	} else if (message->header.type == WIRE_TOPOLOGY_DONE) {
		supervisor_worked(link->supervisor);
		link->worker.ready = link->listed = true;
		/* What udev did between two watchers nobody has told. */
		binder_pool_nodes_changed(link->pool, NULL);
		tell_gone(link);
		return true;
	} else {
		return false;
	}
	outbox_send(&link->supervisor->outbox, message, NULL);
	return true;
}

void watcher_link_readable(struct watcher_link *link)
{
	while (outbox_is_empty(&link->supervisor->outbox)) {
		autoclose_list struct descriptors fds = { .count = 0 };
		union wire_message message;
		int got = wire_receive(link->worker.socket, &message, &fds);

		if (got == -EAGAIN)
			return;
		if (got <= 0 || !pass_on(link, &message)) {
			restart(link);
			return;
		}
	}
}

void watcher_link_end(struct watcher_link *link)
{
	worker_end(&link->worker);
	known_devices_done(&link->known);
}
