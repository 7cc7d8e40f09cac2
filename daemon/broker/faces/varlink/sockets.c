#include "sockets.h"

#include "../../../base/descriptors.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

struct sockets {
	int epoll;
	sd_event_source *source; /* of all of them */
	struct turns *turns;
	struct turn turn;
	turn_owner owner;
};

/* One at a time: the kernel gives each that is ready its turn. */
static void on_turn(void *context)
{
	struct sockets *sockets = context;
	struct epoll_event event;

	if (epoll_wait(sockets->epoll, &event, 1, 0) == 1) {
		struct socket_watch *watch = event.data.ptr;

		watch->ready(watch->context, event.events);
	}
	/* If there are more, it tells at once. */
	sd_event_source_set_io_events(sockets->source, EPOLLIN);
}

static int on_ready(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct sockets *sockets = context;

	sd_event_source_set_io_events(source, 0);
	turns_want(sockets->turns, &sockets->turn, sockets->owner);
	return 0;
}

int sockets_new(sd_event *event, struct turns *turns, turn_owner owner, struct sockets **out)
{
	struct sockets *sockets = calloc(1, sizeof(*sockets));
	int error;

	if (!sockets)
		return -ENOMEM;
	sockets->turns = turns;
	sockets->owner = owner;
	sockets->turn = (struct turn){ .take = on_turn, .context = sockets };
	sockets->epoll = epoll_create1(EPOLL_CLOEXEC);
	error = sockets->epoll < 0
			? -errno
			: sd_event_add_io(event, &sockets->source, sockets->epoll, EPOLLIN, on_ready, sockets);
	if (error < 0) {
		sockets_free(sockets);
		return error;
	}
	*out = sockets;
	return 0;
}

struct sockets *sockets_free(struct sockets *sockets)
{
	if (!sockets)
		return NULL;
	turns_forget(&sockets->turn);
	sd_event_source_disable_unref(sockets->source);
	descriptor_close(&sockets->epoll);
	free(sockets);
	return NULL;
}

static int control(struct socket_watch *watch, int operation, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	return epoll_ctl(watch->sockets->epoll, operation, watch->fd, &event) < 0 ? -errno : 0;
}

int sockets_watch(struct sockets *sockets, struct socket_watch *watch, int fd, uint32_t events)
{
	int error;

	watch->sockets = sockets;
	watch->fd = fd;
	watch->events = events;
	error = control(watch, EPOLL_CTL_ADD, events);
	if (error < 0)
		watch->sockets = NULL;
	return error;
}

void socket_watch_change(struct socket_watch *watch, uint32_t events)
{
	if (watch->sockets && watch->events != events && control(watch, EPOLL_CTL_MOD, events) == 0)
		watch->events = events;
}

void socket_watch_end(struct socket_watch *watch)
{
	if (watch->sockets)
		control(watch, EPOLL_CTL_DEL, 0);
	watch->sockets = NULL;
}
