/*
 * The connection to the system bus: made when the bus is there, made again when it is gone, never waited for. Whoever
 * uses it is told when it comes and goes. Knows no object and no method.
 */
#pragma once

#include <systemd/sd-bus.h>

struct bus_link;

struct bus_link_listener {
	/* The bus can be used from now on: it is a new connection, on which nothing is registered yet. */
	void (*up)(void *context, sd_bus *bus);
	/* It is gone. Slots on it are to be dropped now: a call under way was answered with an error, or never will be. */
	void (*down)(void *context);
	void *context;
	struct bus_link_listener *next; /* bus_link::first */
};

/*
 * Begins to connect, to DBUS_SYSTEM_BUS_ADDRESS or else the system bus; a bus that is not there is no error. 0, or
 * -errno.
 */
int bus_link_new(sd_event *event, struct bus_link **out);
/* Takes NULL, returns NULL. Listeners are told nothing any more. */
struct bus_link *bus_link_free(struct bus_link *link);
/* The connection while it can be used, else NULL. Valid until "down" is told. */
sd_bus *bus_link_get(const struct bus_link *link);
/* The listener stays its owner's. If the bus is there already, it is told before this returns. */
void bus_link_listen(struct bus_link *link, struct bus_link_listener *listener);
void bus_link_unlisten(struct bus_link *link, struct bus_link_listener *listener);
/*
 * Gives the connection up: what waits in it is closed at once, FDs too. "down" is told from the loop, and a new one is made;
 * until then sending fails.
 */
void bus_link_cut(struct bus_link *link);
