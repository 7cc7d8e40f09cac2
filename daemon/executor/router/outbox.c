#include "outbox.h"

#include "../../base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

struct outbox_item {
	struct outbox_item *next; // outbox::first
	struct descriptors fds;
	union wire_message *message; /* of the size in its header */
};

static void item_free(struct outbox_item *item)
{
	descriptors_close(&item->fds);
	free(item->message);
	free(item);
}

static void drop_all(struct outbox *outbox)
{
	while (outbox->first) {
		struct outbox_item *item = outbox->first;

		outbox->first = item->next;
		item_free(item);
	}
	outbox->last = NULL;
}

/* 0: sent; -EAGAIN: not now; other: the broker is gone. */
static int try_to_send(struct outbox *outbox, const union wire_message *message, const struct descriptors *fds)
{
	int error = wire_send(outbox->socket, message, fds ? fds->fd : NULL, fds ? fds->count : 0);

	outbox->exhausted = error == -ETOOMANYREFS;
	if (outbox->exhausted)
		return -EAGAIN;
	if (error < 0 && error != -EAGAIN) {
		if (error != -EPIPE && error != -ECONNRESET)
			log_error("cannot send to the broker any longer: %s", strerror(-error));
		outbox->gone = true;
		drop_all(outbox);
	}
	return error;
}

static bool keep(struct outbox *outbox, const union wire_message *message, const struct descriptors *fds)
{
	struct outbox_item *item = calloc(1, sizeof(*item));

	if (item)
		item->message = malloc(message->header.size);
	if (!item || !item->message) {
		free(item);
		return false;
	}
	memcpy(item->message, message, message->header.size);
	if (fds)
		item->fds = *fds;
	if (outbox->last)
		outbox->last->next = item;
	else
		outbox->first = item;
	outbox->last = item;
	return true;
}

void outbox_send(struct outbox *outbox, const union wire_message *message, struct descriptors *fds)
{
	int error = -EAGAIN;

	while (!outbox->gone) {
		if (!outbox->first)
			error = try_to_send(outbox, message, fds);
		if (error != -EAGAIN)
			break;
		if (keep(outbox, message, fds)) {
			if (fds)
				fds->count = 0;
			return;
		}
		/* Without memory there is nothing for it but to wait for the broker. */
		struct pollfd state = { .fd = outbox->socket, .events = POLLOUT };

		poll(&state, 1, 100);
		outbox_flush(outbox);
	}
	if (fds)
		descriptors_close(fds);
}

void outbox_flush(struct outbox *outbox)
{
	while (outbox->first) {
		struct outbox_item *item = outbox->first;

		/* If the broker is gone, this frees the item with all others. */
		if (try_to_send(outbox, item->message, &item->fds) < 0)
			return;
		outbox->first = item->next;
		if (!outbox->first)
			outbox->last = NULL;
		item_free(item);
	}
}

bool outbox_is_empty(const struct outbox *outbox)
{
	return !outbox->first;
}

void outbox_done(struct outbox *outbox)
{
	drop_all(outbox);
}
