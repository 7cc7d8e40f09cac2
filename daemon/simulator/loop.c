#include "loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_AT_ONCE = 64 };

struct loop {
	int epoll;
	bool stopped;
	TAILQ_HEAD(, timer) timers; /* the one that is due first is first */
	struct epoll_event event[EVENTS_AT_ONCE];
	int event_count;
};

int loop_new(struct loop **out)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	TAILQ_INIT(&loop->timers);
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0) {
		int error = -errno;

		free(loop);
		return error;
	}
	*out = loop;
	return 0;
}

struct loop *loop_free(struct loop *loop)
{
	if (!loop)
		return NULL;
	close(loop->epoll);
	free(loop);
	return NULL;
}

static int control(struct loop *loop, int operation, struct watch *watch, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	return epoll_ctl(loop->epoll, operation, watch->fd, &event) < 0 ? -errno : 0;
}

int loop_add(struct loop *loop, struct watch *watch, uint32_t events)
{
	return control(loop, EPOLL_CTL_ADD, watch, events);
}

int loop_change(struct loop *loop, struct watch *watch, uint32_t events)
{
	return control(loop, EPOLL_CTL_MOD, watch, events);
}

void loop_forget(struct loop *loop, struct watch *watch)
{
	/* What epoll told of it in this turn must not reach it any more: its owner is about to free it. */
	for (int i = 0; i < loop->event_count; i++)
		if (loop->event[i].data.ptr == watch)
			loop->event[i].data.ptr = NULL;
}

void loop_remove(struct loop *loop, struct watch *watch)
{
	control(loop, EPOLL_CTL_DEL, watch, 0);
	loop_forget(loop, watch);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

void loop_set_timer(struct loop *loop, struct timer *timer, uint64_t milliseconds)
{
	struct timer *other;

	loop_clear_timer(loop, timer);
	timer->due = now() + milliseconds;
	timer->on = true;
	TAILQ_FOREACH(other, &loop->timers, link)
	if (other->due > timer->due) {
		TAILQ_INSERT_BEFORE(other, timer, link);
		return;
	}
	TAILQ_INSERT_TAIL(&loop->timers, timer, link);
}

void loop_clear_timer(struct loop *loop, struct timer *timer)
{
	if (timer->on)
		TAILQ_REMOVE(&loop->timers, timer, link);
	timer->on = false;
}

/* Milliseconds until the first timer is due, for epoll_wait(); -1: no timer. */
static int timed_call(const struct loop *loop)
{
	const struct timer *first = TAILQ_FIRST(&loop->timers);
	uint64_t time;

	if (!first)
		return -1;
	time = now();
	if (first->due <= time)
		return 0;
	return first->due - time < INT_MAX ? (int)(first->due - time) : INT_MAX;
}

static void run_timers(struct loop *loop)
{
	struct timer *first;
	uint64_t time;

	if (TAILQ_EMPTY(&loop->timers))
		return;
	time = now();
	while (!loop->stopped && (first = TAILQ_FIRST(&loop->timers)) && first->due <= time) {
		loop_clear_timer(loop, first);
		first->expired(first);
	}
}

int loop_run(struct loop *loop)
{
	while (!loop->stopped) {
		int count = epoll_wait(loop->epoll, loop->event, EVENTS_AT_ONCE, timed_call(loop));

		if (count < 0 && errno != EINTR)
			return -errno;
		loop->event_count = count > 0 ? count : 0;
		for (int i = 0; i < loop->event_count && !loop->stopped; i++) {
			struct watch *watch = loop->event[i].data.ptr;

			if (watch)
				watch->ready(watch, loop->event[i].events);
		}
		loop->event_count = 0;
		run_timers(loop);
	}
	return 0;
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}
