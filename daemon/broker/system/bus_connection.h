/*
 * The connection to the system bus: made when the bus is there, made again when it is gone, never waited for. Whoever
 * uses it is told when it comes and goes. Knows no object and no method.
 */
#pragma once

#include <systemd/sd-bus.h>

struct bus_connection;

struct bus_connection_listener {
	/* The bus can be used from now on: it is a new connection, on which nothing is registered yet. */
	void (*up)(void *context, sd_bus *bus);
	/* It is gone. Slots on it are to be dropped now: a call under way was answered with an error, or never will be.
	 */
	void (*down)(void *context);
	void *context;
	struct bus_connection_listener *next; /* bus_link::first */
};

/*
 * Begins to connect, to DBUS_SYSTEM_BUS_ADDRESS or else the system bus; a missing bus is not an error. 0, or
 * -errno.
 */
int bus_connection_new(sd_event *event, struct bus_connection **out);
/* Takes NULL, returns NULL. Listeners are told nothing any more. */
struct bus_connection *bus_connection_free(struct bus_connection *link);
/* The connection while it can be used, else NULL. Valid until "down" is told. */
sd_bus *bus_connection_get(const struct bus_connection *link);
/* The listener stays its owner's. If the bus is there already, it is told before this returns. */
void bus_connection_listen(struct bus_connection *link, struct bus_connection_listener *listener);
void bus_connection_unlisten(struct bus_connection *link, struct bus_connection_listener *listener);
/*
 * Gives the connection up: what waits in it is closed at once, FDs too. "down" is told from the loop, and a new one is
 * made; until then sending fails.
 */
void bus_connection_cut(struct bus_connection *link);
