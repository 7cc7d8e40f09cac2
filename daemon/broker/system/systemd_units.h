/*
 * systemd's units, over the bus: whether one runs, and when that run of it ends. A restarted unit is another
 * run, told apart by its invocation id. Without the bus nothing is known: that is never taken for an end.
 *
 * Source: org.freedesktop.systemd1(5), systemd.unit(5).
 */
#pragma once

#include "bus_connection.h"

#include "../../../policy/model/subject.h"

#include <stdbool.h>

struct units;
struct unit_watch;

struct unit_watch_events {
	/* Once: it runs, and this is the invocation that is watched from now on. */
	void (*runs)(void *context, const char *invocation);
	/* Once, and last: it does not run, or another invocation does. */
	void (*ended)(void *context);
	/* Perhaps several times, each time that the bus comes and systemd does not answer for the unit: message says
	 * why. */
	void (*unknown)(void *context, const char *message);
};

/* link lives longer. 0, -ENOMEM. */
int units_new(struct bus_connection *link, struct units **out);
struct units *units_free(struct units *units);
/* True if systemd can be asked just now. */
bool units_can_be_asked(const struct units *units);

/*
 * Watches a unit, from the next turn of the loop on or whenever the bus is there. invocation: the run that is meant;
 * NULL: whichever runs now. 0 with *out, which the caller frees with unit_watch_free() before units; -ENOMEM.
 */
int units_watch(struct units *units, const char *unit, const char *invocation, const struct unit_watch_events *events,
		void *context, struct unit_watch **out);
/* Nothing more is told. Takes NULL; may be called in the events. Returns NULL. */
struct unit_watch *unit_watch_free(struct unit_watch *watch);
