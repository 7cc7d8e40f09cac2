/*
 * Whose turn it is. Nothing that a client wants is done where it is noticed: it is a turn, which waits in the share of
 * its user, and the share that has used the processor least gets the next one. So a user's connections and calls share
 * what one connection of another has for itself, and who comes waits for the turn under way and no longer.
 *
 * Turns come after what the loop is woken for, so that it is known who waits, and after what the executor says; with
 * the bus, which has the same priority, they take it in turns.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

enum {
	TURNS_PRIORITY = SD_EVENT_PRIORITY_NORMAL + 10,
	TURNS_PRIORITY_WIRE = TURNS_PRIORITY - 1, /* the executor says what it was asked for, and that by turns */
};

/* Who has a share: a uid, or one of those who are no user. */
typedef int64_t turn_owner;
enum {
	TURNS_OF_LISTENER = -1, /* new connections, before their user is known */
	TURNS_OF_RELEASES = -2, /* questions that waited for a release */
};

struct turns;

/* Lies in what has something to do. The first two are its owner's, the rest is of the turns; all zero: it waits for
 * none. */
struct turn {
	void (*take)(void *context); /* once, from the loop: one piece of work; it may want another turn */
	void *context;
	struct turn_share *share; /* in which it waits; NULL: it waits for none */
	struct turn *next;
};

int turns_new(sd_event *event, struct turns **out); /* 0, -ENOMEM, -errno */
/* NULL is allowed. What still waits is not told. */
struct turns *turns_free(struct turns *turns);
/* Waits for a turn, behind the others of this owner. Nothing where it waits already. */
void turns_want(struct turns *turns, struct turn *turn, turn_owner owner);
/* It waits no more. Nothing where it does not wait. */
void turns_forget(struct turn *turn);
/* What was done for the owner out of turn counts, too: nanoseconds of processor time. */
void turns_charge(struct turns *turns, turn_owner owner, uint64_t nsec);
/* The processor time of this thread, nanoseconds. */
uint64_t turns_clock(void);
