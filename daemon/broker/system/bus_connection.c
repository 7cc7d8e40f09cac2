#include "bus_connection.h"

#include "turns.h"

#include "../../base/log.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#define DEFAULT_ADDRESS "unix:path=/run/dbus/system_bus_socket"

/* After a failure it is tried again in so much time, doubled with each, and in no more than so much. */
#define RETRY_USEC (100 * 1000ULL)
#define RETRY_USEC_MAX (1000 * 1000ULL)
/* A connection that ends sooner is a failure, too. */
#define LASTING_USEC (10 * 1000 * 1000ULL)
/* How often it is tried without a sign of a bus. */
#define IDLE_USEC (5 * 1000 * 1000ULL)

struct bus_connection {
	sd_event *event;
	sd_bus *bus; /* NULL: none is being made either */
	bool up;
	bool cut;       /* given up; "down" is yet to be told */
	uint64_t since; /* when it came up, CLOCK_MONOTONIC microseconds */
	unsigned failures;
	sd_event_source *timer;
	struct bus_connection_listener *first;
};

static int on_timer(sd_event_source *source, uint64_t usec, void *context);

static int arm(struct bus_connection *link, uint64_t usec)
{
	link->timer = sd_event_source_disable_unref(link->timer);
	return sd_event_add_time_relative(link->event, &link->timer, CLOCK_MONOTONIC, usec, 0, on_timer, link);
}

static void arm_retry(struct bus_connection *link)
{
	uint64_t usec = link->failures < 4 ? RETRY_USEC << link->failures : RETRY_USEC_MAX;

	link->failures++;
	if (arm(link, usec) < 0)
		log_error("failed to set a timer for the bus: giving up");
}

static void tell_down(struct bus_connection *link)
{
	struct bus_connection_listener *next;
	uint64_t now;

	link->up = false;
	if (sd_event_now(link->event, CLOCK_MONOTONIC, &now) >= 0 && now - link->since >= LASTING_USEC)
		link->failures = 0;
	for (struct bus_connection_listener *listener = link->first; listener; listener = next) {
		next = listener->next;
		listener->down(listener->context);
	}
}

static int on_connected(sd_bus_message *message, void *context, sd_bus_error *error)
{
	struct bus_connection *link = context;
	struct bus_connection_listener *next;

	link->up = true;
	sd_event_now(link->event, CLOCK_MONOTONIC, &link->since);
	link->timer = sd_event_source_disable_unref(link->timer);
	log_notice("connected to the bus");
	for (struct bus_connection_listener *listener = link->first; listener && link->up; listener = next) {
		next = listener->next;
		listener->up(listener->context, link->bus);
	}
	return 0;
}

static int on_disconnected(sd_bus_message *message, void *context, sd_bus_error *error)
{
	struct bus_connection *link = context;

	/* Its own code runs right now: the timer lets go of it. */
	if (link->up) {
		log_warning("the bus is gone: claims and the socket continue without it");
		tell_down(link);
	}
	arm_retry(link);
	return 0;
}

/* A connection that is being made; whatever happens to it is told by its local signals. 0 or -errno. */
static int begin(struct bus_connection *link)
{
	const char *address = secure_getenv("DBUS_SYSTEM_BUS_ADDRESS");
	static const char local[] = "org.freedesktop.DBus.Local";
	sd_bus *bus = NULL;
	int error = sd_bus_new(&bus);

	if (error >= 0)
		error = sd_bus_set_address(bus, address && *address ? address : DEFAULT_ADDRESS);
	if (error >= 0)
		error = sd_bus_set_bus_client(bus, true);
	if (error >= 0)
		error = sd_bus_set_watch_bind(bus, true);
	if (error >= 0)
		error = sd_bus_set_connected_signal(bus, true);
	if (error >= 0)
		error = sd_bus_negotiate_fds(bus, true);
	if (error >= 0)
		error = sd_bus_set_exit_on_disconnect(bus, false);
	/* At our end it would wait for whoever does not read. */
	if (error >= 0)
		error = sd_bus_set_close_on_exit(bus, false);
	if (error >= 0)
		error = sd_bus_start(bus);
	if (error >= 0)
		error = sd_bus_match_signal_async(bus, NULL, local, NULL, local, "Connected", on_connected, NULL, link);
	if (error >= 0)
		error = sd_bus_match_signal_async(bus, NULL, local, NULL, local, "Disconnected", on_disconnected, NULL,
						  link);
	if (error >= 0)
		error = sd_bus_attach_event(bus, link->event, TURNS_PRIORITY);
	if (error < 0) {
		sd_bus_close_unref(bus);
		return error;
	}
	link->bus = bus;
	return 0;
}

static void let_go(struct bus_connection *link)
{
	/* Not flushed: that would wait for the bus. */
	link->bus = sd_bus_close_unref(link->bus);
}

static void connect_again(struct bus_connection *link)
{
	int error;

	let_go(link);
	error = begin(link);
	if (error < 0)
		arm_retry(link);
	else if (arm(link, IDLE_USEC) < 0)
		log_error("failed to set a timer for the bus");
}

/* True if it waits for the bus to appear, or was given up; false while it is connecting, which has an end of its own.
 */
static bool is_idle(const struct bus_connection *link)
{
	return !link->bus || sd_bus_is_open(link->bus) <= 0 ||
	       sd_is_socket(sd_bus_get_fd(link->bus), AF_UNIX, SOCK_STREAM, -1) <= 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *context)
{
	struct bus_connection *link = context;

	if (link->cut) {
		log_warning("dropping the connection to the bus and reconnecting");
		link->cut = false;
		tell_down(link);
		let_go(link);
		arm_retry(link);
		return 0;
	}
	/*
	 * A new socket that was seen and did not listen yet is not seen again when it does: so what waits for one tries
	 * by itself from time to time.
	 */
	if (is_idle(link))
		connect_again(link);
	else if (arm(link, IDLE_USEC) < 0)
		log_error("failed to set a timer for the bus");
	return 0;
}

int bus_connection_new(sd_event *event, struct bus_connection **out)
{
	struct bus_connection *link = calloc(1, sizeof(*link));
	int error;

	if (!link)
		return -ENOMEM;
	link->event = sd_event_ref(event);
	/* From the loop, so that who listens from the start hears of it. */
	error = arm(link, 0);
	if (error < 0) {
		bus_connection_free(link);
		return error;
	}
	*out = link;
	return 0;
}

struct bus_connection *bus_connection_free(struct bus_connection *link)
{
	if (!link)
		return NULL;
	let_go(link);
	sd_event_source_disable_unref(link->timer);
	sd_event_unref(link->event);
	free(link);
	return NULL;
}

sd_bus *bus_connection_get(const struct bus_connection *link)
{
	return link && link->up ? link->bus : NULL;
}

void bus_connection_listen(struct bus_connection *link, struct bus_connection_listener *listener)
{
	struct bus_connection_listener **end = &link->first;

	while (*end)
		end = &(*end)->next;
	listener->next = NULL;
	*end = listener;
	if (link->up)
		listener->up(listener->context, link->bus);
}

void bus_connection_unlisten(struct bus_connection *link, struct bus_connection_listener *listener)
{
	for (struct bus_connection_listener **place = &link->first; *place; place = &(*place)->next)
		if (*place == listener) {
			*place = listener->next;
			listener->next = NULL;
			return;
		}
}

void bus_connection_cut(struct bus_connection *link)
{
	if (!link->up || link->cut)
		return;
	/* Its queues go with it. Who is in its code right now holds a reference, and finds it closed. */
	sd_bus_close(link->bus);
	link->cut = true;
	if (arm(link, 0) < 0)
		log_error("failed to set a timer for the bus: giving up");
}
