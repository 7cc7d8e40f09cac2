#include "turns.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* One owner's turns, in the order in which they were wanted, and what he has used. */
struct turn_share {
	struct turn_share *next; /* turns::first */
	turn_owner owner;
	uint64_t used; /* nanoseconds; who was away gets no credit for it */
	struct turn *first, **end;
};

/* Sources that the loop makes room for at the start. */
enum { ROOM = 16 };

struct turns {
	/*
	 * Ready whenever its events are asked for. A deferred source would always come before the others of its
	 * priority, and one that enables itself again would be all that the loop does.
	 */
	int always;
	sd_event_source *source;
	bool armed;
	uint64_t now; /* what the share had used that got the last turn */
	struct turn_share *first;
	struct turn_share common; /* of whoever there is no memory for */
	sd_event_source *room[ROOM];
};

uint64_t turns_clock(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void arm(struct turns *turns, bool armed)
{
	if (turns->armed != armed && sd_event_source_set_io_events(turns->source, armed ? EPOLLIN : 0) >= 0)
		turns->armed = armed;
}

/*
 * Where the loop has more sources than ever it makes room before it waits, and ends if there is no memory. That is no
 * harm at the start; later there is room.
 */
static int make_room(struct turns *turns, sd_event *event)
{
	int error = 0;

	for (int i = 0; i < ROOM && error >= 0; i++) {
		error = sd_event_add_defer(event, &turns->room[i], NULL, NULL);
		if (error >= 0)
			error = sd_event_source_set_enabled(turns->room[i], SD_EVENT_OFF);
	}
	return error;
}

static void leave_room(struct turns *turns)
{
	for (int i = 0; i < ROOM; i++)
		turns->room[i] = sd_event_source_disable_unref(turns->room[i]);
}

/* The share whose turn is next, or NULL. Those are dropped on the way that have nothing to remember. */
static struct turn_share *find_next(struct turns *turns)
{
	struct turn_share *found = turns->common.first ? &turns->common : NULL;

	for (struct turn_share **link = &turns->first; *link;) {
		struct turn_share *share = *link;

		if (!share->first && share->used <= turns->now) {
			*link = share->next;
			free(share);
			continue;
		}
		if (share->first && (!found || share->used < found->used))
			found = share;
		link = &share->next;
	}
	return found;
}

static int on_always(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct turns *turns = context;
	struct turn_share *share = find_next(turns);
	struct turn *turn = share ? share->first : NULL;
	uint64_t begin;

	leave_room(turns);
	if (!turn) {
		arm(turns, false);
		return 0;
	}
	if (share->used > turns->now)
		turns->now = share->used;
	turns_forget(turn);
	begin = turns_clock();
	turn->take(turn->context);
	/* The share is still there: they are dropped nowhere but above. */
	share->used += turns_clock() - begin + 1;
	return 0;
}

int turns_new(sd_event *event, struct turns **out)
{
	struct turns *turns = calloc(1, sizeof(*turns));
	int error;

	if (!turns)
		return -ENOMEM;
	turns->common.end = &turns->common.first;
	turns->always = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	error = turns->always < 0 ? -errno : sd_event_add_io(event, &turns->source, turns->always, 0, on_always, turns);
	if (error >= 0)
		error = sd_event_source_set_priority(turns->source, TURNS_PRIORITY);
	if (error >= 0)
		error = make_room(turns, event);
	if (error < 0) {
		turns_free(turns);
		return error;
	}
	*out = turns;
	return 0;
}

struct turns *turns_free(struct turns *turns)
{
	if (!turns)
		return NULL;
	leave_room(turns);
	sd_event_source_disable_unref(turns->source);
	if (turns->always >= 0)
		close(turns->always);
	while (turns->common.first)
		turns_forget(turns->common.first);
	while (turns->first) {
		struct turn_share *share = turns->first;

		while (share->first)
			turns_forget(share->first);
		turns->first = share->next;
		free(share);
	}
	free(turns);
	return NULL;
}

static struct turn_share *share_of(struct turns *turns, turn_owner owner)
{
	struct turn_share *share = turns->first;

	while (share && share->owner != owner)
		share = share->next;
	if (share)
		return share;
	share = calloc(1, sizeof(*share));
	if (!share)
		return &turns->common;
	share->owner = owner;
	share->end = &share->first;
	share->next = turns->first;
	turns->first = share;
	return share;
}

void turns_want(struct turns *turns, struct turn *turn, turn_owner owner)
{
	struct turn_share *share;

	if (turn->share)
		return;
	share = share_of(turns, owner);
	if (!share->first && share->used < turns->now)
		share->used = turns->now;
	turn->share = share;
	turn->next = NULL;
	*share->end = turn;
	share->end = &turn->next;
	arm(turns, true);
}

void turns_forget(struct turn *turn)
{
	struct turn_share *share = turn->share;
	struct turn **link;

	if (!share)
		return;
	for (link = &share->first; *link != turn;)
		link = &(*link)->next;
	*link = turn->next;
	if (!*link)
		share->end = link;
	turn->share = NULL;
}

void turns_charge(struct turns *turns, turn_owner owner, uint64_t nsec)
{
	struct turn_share *share = share_of(turns, owner);

	if (share->used < turns->now)
		share->used = turns->now;
	share->used += nsec;
}
