#include "systemd_units.h"

#include "../../base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char systemd[] = "org.freedesktop.systemd1";
static const char unit_interface[] = "org.freedesktop.systemd1.Unit";

struct units {
	struct bus_connection *link;
	struct bus_connection_listener listener;
	struct unit_watch *first;
};

struct unit_watch {
	struct unit_watch *next; /* units::first */
	struct units *units;
	char *path;
	char name[UNIT_NAME_MAX];
	char invocation[UNIT_INVOCATION_MAX]; /* "": not known yet */
	bool told;                            /* that it runs */
	const struct unit_watch_events *events;
	void *context;
	sd_bus_slot *changes, *removal, *call;
	bool again; /* something changed while it was asked */
};

static void ask(struct unit_watch *watch);

/* Something changed while it was asked: what was answered may be older. */
static bool ask_again(struct unit_watch *watch)
{
	if (!watch->again)
		return false;
	watch->again = false;
	ask(watch);
	return true;
}

static void end(struct unit_watch *watch)
{
	const struct unit_watch_events *events = watch->events;
	void *context = watch->context;

	/* The owner frees it in the call, or later. */
	watch->events = NULL;
	if (events)
		events->ended(context);
}

static void tell_unknown(struct unit_watch *watch, const char *message)
{
	if (watch->events)
		watch->events->unknown(watch->context, message);
}

/* An answer that is an error: an end where systemd says that there is no such unit. */
static void take_error(struct unit_watch *watch, const sd_bus_error *error)
{
	if (sd_bus_error_has_name(error, "org.freedesktop.systemd1.NoSuchUnit"))
		end(watch);
	else
		tell_unknown(watch, error->message ? error->message : error->name);
}

static int on_invocation(sd_bus_message *answer, void *context, sd_bus_error *unused)
{
	struct unit_watch *watch = context;
	char text[UNIT_INVOCATION_MAX] = "";
	const uint8_t *bytes = NULL;
	size_t size = 0;

	watch->call = sd_bus_slot_unref(watch->call);
	if (sd_bus_message_is_method_error(answer, NULL)) {
		take_error(watch, sd_bus_message_get_error(answer));
		return 0;
	}
	if (sd_bus_message_enter_container(answer, 'v', "ay") < 0 ||
	    sd_bus_message_read_array(answer, 'y', (const void **)&bytes, &size) < 0 || size > 16) {
		tell_unknown(watch, "invalid reply from systemd");
		return 0;
	}
	for (size_t i = 0; i < size; i++)
		snprintf(text + 2 * i, sizeof(text) - 2 * i, "%02x", bytes[i]);
	if (watch->invocation[0] && strcmp(watch->invocation, text) != 0) {
		end(watch);
		return 0;
	}
	memcpy(watch->invocation, text, sizeof(text));
	if (!ask_again(watch) && !watch->told) {
		watch->told = true;
		/* The owner may free the watch in the call: what it is told lies here. */
		watch->events->runs(watch->context, text);
	}
	return 0;
}

static bool runs(const char *state)
{
	return strcmp(state, "inactive") != 0 && strcmp(state, "failed") != 0;
}

/* Asks for a property; answers come one at a time. False: after the owner was told. */
static bool get(struct unit_watch *watch, const char *property, sd_bus_message_handler_t handler)
{
	sd_bus *bus = bus_connection_get(watch->units->link);
	int error = bus ? sd_bus_call_method_async(bus, &watch->call, systemd, watch->path,
						   "org.freedesktop.DBus.Properties", "Get", handler, watch, "ss",
						   unit_interface, property)
			: -ENOTCONN;

	if (error < 0)
		tell_unknown(watch, strerror(-error));
	return error >= 0;
}

static int on_state(sd_bus_message *answer, void *context, sd_bus_error *unused)
{
	struct unit_watch *watch = context;
	const char *state = NULL;

	watch->call = sd_bus_slot_unref(watch->call);
	if (sd_bus_message_is_method_error(answer, NULL)) {
		take_error(watch, sd_bus_message_get_error(answer));
	} else if (sd_bus_message_read(answer, "v", "s", &state) < 0) {
		tell_unknown(watch, "invalid reply from systemd");
	} else if (!runs(state)) {
		end(watch);
	} else if (!ask_again(watch)) {
		get(watch, "InvocationID", on_invocation);
	}
	return 0;
}

static void ask(struct unit_watch *watch)
{
	if (!watch->events)
		return;
	if (watch->call) {
		watch->again = true;
		return;
	}
	get(watch, "ActiveState", on_state);
}

static int on_change(sd_bus_message *signal, void *context, sd_bus_error *unused)
{
	ask(context);
	return 0;
}

static void forget_slots(struct unit_watch *watch)
{
	watch->changes = sd_bus_slot_unref(watch->changes);
	watch->removal = sd_bus_slot_unref(watch->removal);
	watch->call = sd_bus_slot_unref(watch->call);
}

static void begin(struct unit_watch *watch, sd_bus *bus)
{
	char match[UNIT_NAME_MAX + 256];
	int error;

	snprintf(match, sizeof(match),
		 "type='signal',sender='%s',path='/org/freedesktop/systemd1',"
		 "interface='org.freedesktop.systemd1.Manager',member='UnitRemoved',arg0='%s'",
		 systemd, watch->name);
	error = sd_bus_match_signal_async(bus, &watch->changes, systemd, watch->path, "org.freedesktop.DBus.Properties",
					  "PropertiesChanged", on_change, NULL, watch);
	if (error >= 0)
		error = sd_bus_add_match_async(bus, &watch->removal, match, on_change, NULL, watch);
	if (error < 0)
		tell_unknown(watch, strerror(-error));
	else
		ask(watch);
}

static void on_up(void *context, sd_bus *bus)
{
	struct units *units = context;
	struct unit_watch *next;

	/* Else systemd sends no signals. That somebody did it before is no error. */
	sd_bus_call_method_async(bus, NULL, systemd, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
				 "Subscribe", NULL, NULL, NULL);
	for (struct unit_watch *watch = units->first; watch; watch = next) {
		next = watch->next;
		begin(watch, bus);
	}
}

static void on_down(void *context)
{
	struct units *units = context;

	for (struct unit_watch *watch = units->first; watch; watch = watch->next)
		forget_slots(watch);
}

int units_new(struct bus_connection *link, struct units **out)
{
	struct units *units = calloc(1, sizeof(*units));

	if (!units)
		return -ENOMEM;
	units->link = link;
	units->listener = (struct bus_connection_listener){ .up = on_up, .down = on_down, .context = units };
	if (link)
		bus_connection_listen(link, &units->listener);
	*out = units;
	return 0;
}

struct units *units_free(struct units *units)
{
	if (units && units->link)
		bus_connection_unlisten(units->link, &units->listener);
	free(units);
	return NULL;
}

bool units_can_be_asked(const struct units *units)
{
	return units->link && bus_connection_get(units->link);
}

int units_watch(struct units *units, const char *unit, const char *invocation, const struct unit_watch_events *events,
		void *context, struct unit_watch **out)
{
	struct unit_watch *watch = calloc(1, sizeof(*watch));
	sd_bus *bus = units->link ? bus_connection_get(units->link) : NULL;

	if (!watch || sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit, &watch->path) < 0) {
		free(watch);
		return -ENOMEM;
	}
	watch->units = units;
	watch->events = events;
	watch->context = context;
	snprintf(watch->name, sizeof(watch->name), "%s", unit);
	snprintf(watch->invocation, sizeof(watch->invocation), "%s", invocation ? invocation : "");
	watch->next = units->first;
	units->first = watch;
	*out = watch;
	if (bus)
		begin(watch, bus);
	return 0;
}

struct unit_watch *unit_watch_free(struct unit_watch *watch)
{
	struct unit_watch **link;

	if (!watch)
		return NULL;
	for (link = &watch->units->first; *link != watch; link = &(*link)->next)
		;
	*link = watch->next;
	forget_slots(watch);
	free(watch->path);
	free(watch);
	return NULL;
}
