/*
 * What the main process has to say to the broker. What the socket does not take at once waits here; while something
 * waits, nothing more may be read from anybody, so that little ever does.
 */
#pragma once

#include "../../base/wire.h"

struct outbox_item;

/* All zero but for the socket, which is nonblocking and the caller's, is an empty outbox. */
struct outbox {
	int socket;
	bool gone;      /* the broker is; all is dropped from then on */
	bool exhausted; /* too many FDs are on their way in this system: tried again later, without an event */
	struct outbox_item *first;
	struct outbox_item *last;
};

/* Sends a stamped message, or lets it wait. Takes the FDs over (fds: NULL for none), which leaves the list empty. */
void outbox_send(struct outbox *outbox, const union wire_message *message, struct descriptors *fds);
/* Sends what waits, as far as the socket takes it. */
void outbox_flush(struct outbox *outbox);
bool outbox_is_empty(const struct outbox *outbox);
/* Drops what waits. */
void outbox_done(struct outbox *outbox);
