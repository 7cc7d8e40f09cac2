#include "executor_link.h"

#include "../system/turns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* A message that the socket did not take yet, with FDs of its own. */
struct queued {
	struct queued *next; /* executor_link::first */
	struct descriptors fds;
	union wire_message *message;
};

struct executor_link {
	int socket;
	bool dead;
	sd_event_source *source;
	const struct executor_link_events *events;
	void *context;
	struct queued *first;
	struct queued **end;
};

static void queued_free(struct queued *queued)
{
	descriptors_close(&queued->fds);
	free(queued->message);
	free(queued);
}

static void link_lost(struct executor_link *link, int error)
{
	if (link->dead)
		return;
	link->dead = true;
	sd_event_source_set_enabled(link->source, SD_EVENT_OFF);
	link->events->lost(link->context, error);
}

static void flush(struct executor_link *link)
{
	while (link->first) {
		struct queued *queued = link->first;
		int error = wire_send(link->socket, queued->message, queued->fds.fd, queued->fds.count);

		if (error == -EAGAIN)
			return;
		link->first = queued->next;
		if (!link->first)
			link->end = &link->first;
		queued_free(queued);
		if (error < 0) {
			link_lost(link, error);
			return;
		}
	}
	sd_event_source_set_io_events(link->source, EPOLLIN);
}

/* Reads what is there, but not for ever: clients want their turn too. */
static void receive(struct executor_link *link)
{
	for (int turn = 0; turn < 16 && !link->dead; turn++) {
		union wire_message message;
		autoclose_list struct descriptors fds = { .count = 0 };
		int got = wire_receive(link->socket, &message, &fds);

		if (got == -EAGAIN)
			return;
		if (got <= 0) {
			link_lost(link, got);
			return;
		}
		link->events->message(link->context, &message, &fds);
	}
}

static int on_socket(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct executor_link *link = context;

	if (revents & EPOLLOUT)
		flush(link);
	if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR))
		receive(link);
	return 0;
}

int executor_link_new(sd_event *event, int socket, const struct executor_link_events *events, void *context,
		      struct executor_link **out)
{
	struct executor_link *link = calloc(1, sizeof(*link));
	int error;

	if (!link)
		return -ENOMEM;
	link->events = events;
	link->context = context;
	link->end = &link->first;
	if (fcntl(socket, F_SETFL, O_NONBLOCK) < 0)
		error = -errno;
	else
		error = sd_event_add_io(event, &link->source, socket, EPOLLIN, on_socket, link);
	if (error >= 0)
		error = sd_event_source_set_priority(link->source, TURNS_PRIORITY_WIRE);
	if (error < 0) {
		sd_event_source_disable_unref(link->source);
		free(link);
		return error;
	}
	link->socket = socket;
	*out = link;
	return 0;
}

struct executor_link *executor_link_free(struct executor_link *link)
{
	if (!link)
		return NULL;
	while (link->first) {
		struct queued *queued = link->first;

		link->first = queued->next;
		queued_free(queued);
	}
	sd_event_source_disable_unref(link->source);
	close(link->socket);
	free(link);
	return NULL;
}

static int enqueue(struct executor_link *link, const union wire_message *message, const int *fds, size_t fd_count)
{
	struct queued *queued = calloc(1, sizeof(*queued));

	if (!queued)
		return -ENOMEM;
	queued->message = malloc(message->header.size);
	if (!queued->message) {
		free(queued);
		return -ENOMEM;
	}
	memcpy(queued->message, message, message->header.size);
	for (size_t i = 0; i < fd_count; i++) {
		int copy = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);

		if (copy < 0 || descriptors_add(&queued->fds, copy) < 0) {
			int error = -errno;

			descriptor_close(&copy);
			queued_free(queued);
			return error;
		}
	}
	*link->end = queued;
	link->end = &queued->next;
	sd_event_source_set_io_events(link->source, EPOLLIN | EPOLLOUT);
	return 0;
}

int executor_link_send(struct executor_link *link, const union wire_message *message, const int *fds, size_t fd_count)
{
	int error;

	if (link->dead)
		return -EPIPE;
	if (link->first)
		return enqueue(link, message, fds, fd_count);
	error = wire_send(link->socket, message, fds, fd_count);
	if (error == -EAGAIN)
		return enqueue(link, message, fds, fd_count);
	/* The kernel is short of something, and the executor is there still. */
	if (error == 0 || error == -ETOOMANYREFS || error == -ENOBUFS || error == -ENOMEM)
		return error;
	/* At once: whoever sends shall find this program at its end, not a plan that failed. */
	link_lost(link, error);
	return -EPIPE;
}
