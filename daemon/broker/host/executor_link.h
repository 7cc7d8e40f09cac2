/*
 * The broker's end of the wire: sends without ever blocking, receives checked messages, and tells its owner through
 * callbacks. Knows nothing of what the messages mean.
 */
#pragma once

#include "../../base/wire.h"

#include <systemd/sd-event.h>

struct executor_link;

struct executor_link_events {
	/* A message came. FDs that the callee does not take are closed afterwards. */
	void (*message)(void *context, const union wire_message *message, struct descriptors *fds);
	/* The executor is gone (0), or broke the wire (-errno). The link is dead; it must not be freed in the call. */
	void (*lost)(void *context, int error);
};

/* Takes the socket over on success. 0 with *out set, or -errno. context is handed to the callbacks. */
int executor_link_new(sd_event *event, int socket, const struct executor_link_events *events, void *context,
		      struct executor_link **out);
struct executor_link *executor_link_free(struct executor_link *link);

/* Sends a stamped message with copies of fds; queues what the socket does not take now. 0, -ENOMEM, -EPIPE. */
int executor_link_send(struct executor_link *link, const union wire_message *message, const int *fds, size_t fd_count);
