#include "bus_signals.h"

#include "bus_property.h"

#include "../../../../policy/util/name_table.h"
#include "../../../base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GATHER_USEC (20 * 1000ULL)

enum {
	TURN_MAX = 32,      /* objects told of in one turn of the loop */
	WAITING_MAX = 1024, /* messages that the bus has not taken, beyond which nothing is added to them */
};

struct object {
	char key[DEVICE_NAME_MAX + 2]; /* a letter for the kind, and the name */
	struct bus_object_name name;
	bool told;
	bool dirty;               /* to be looked at: it came, changed, or went */
	bool replaced;            /* another device has come under this name */
	int32_t group;            /* of a device, as it was told; -1: none */
	char claim[CLAIM_ID_MAX]; /* that had the device when it was told; "" for none */
	size_t place;             /* bus_signals::object */
	struct object *next;      /* bus_signals::dirty */
};

struct bus_signals {
	sd_event *event;
	const struct arbiter *arbiter;
	sd_bus *bus; /* NULL while there is none: nothing is remembered then */
	struct name_table by_key;
	struct object **object;
	size_t count, allocated;
	struct object *dirty, **dirty_end;
	bool policy_changed;
	unsigned held;
	uint64_t last; /* when something was told, CLOCK_MONOTONIC microseconds */
	sd_event_source *timer;
};

static void make_key(char key[static DEVICE_NAME_MAX + 2], const struct bus_object_name *name)
{
	if (name->node == BUS_NODE_GROUP)
		snprintf(key, DEVICE_NAME_MAX + 2, "g%d", name->group);
	else
		snprintf(key, DEVICE_NAME_MAX + 2, "%c%s", name->node == BUS_NODE_CLAIM ? 'c' : 'd', name->name);
}

static struct object *add(struct bus_signals *signals, const struct bus_object_name *name)
{
	struct object *object = calloc(1, sizeof(*object));

	if (object && signals->count == signals->allocated) {
		size_t more = signals->allocated ? 2 * signals->allocated : 64;
		struct object **grown = reallocarray(signals->object, more, sizeof(struct object *));

		if (!grown) {
			free(object);
			return NULL;
		}
		signals->object = grown;
		signals->allocated = more;
	}
	if (!object)
		return NULL;
	object->name = *name;
	object->group = -1;
	make_key(object->key, name);
	if (name_table_add(&signals->by_key, object->key, object) < 0) {
		free(object);
		return NULL;
	}
	object->place = signals->count;
	signals->object[signals->count++] = object;
	return object;
}

/* The object must not be in the list of dirty ones. */
static void drop(struct bus_signals *signals, struct object *object)
{
	struct object *last = signals->object[--signals->count];

	name_table_remove(&signals->by_key, object->key);
	last->place = object->place;
	signals->object[object->place] = last;
	free(object);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *context);

/* Soon, but no sooner after the last time than changes are gathered for; later, if the bus does not take any more. */
static void arm(struct bus_signals *signals, uint64_t wait)
{
	uint64_t now = 0, when;
	int enabled = SD_EVENT_OFF;

	if (signals->held || !signals->bus)
		return;
	if (signals->timer && sd_event_source_get_enabled(signals->timer, &enabled) >= 0 && enabled != SD_EVENT_OFF)
		return;
	if (sd_event_now(signals->event, CLOCK_MONOTONIC, &now) < 0)
		return;
	when = signals->last + GATHER_USEC;
	when = when > now + wait ? when : now + wait;
	if (!signals->timer) {
		if (sd_event_add_time(signals->event, &signals->timer, CLOCK_MONOTONIC, when, 1, on_timer, signals) < 0)
			log_error("cannot send changes to the bus: no timer");
	} else if (sd_event_source_set_time(signals->timer, when) >= 0) {
		sd_event_source_set_enabled(signals->timer, SD_EVENT_ONESHOT);
	}
}

static struct object *mark(struct bus_signals *signals, const struct bus_object_name *name)
{
	char key[DEVICE_NAME_MAX + 2];
	struct object *object;

	make_key(key, name);
	object = name_table_find(&signals->by_key, key);
	if (!object)
		object = add(signals, name);
	/* Out of memory: this change is not told. */
	if (!object || object->dirty)
		return object;
	object->dirty = true;
	object->next = NULL;
	*signals->dirty_end = object;
	signals->dirty_end = &object->next;
	arm(signals, 0);
	return object;
}

static struct object *mark_device(struct bus_signals *signals, const char *device)
{
	struct bus_object_name name = { .node = BUS_NODE_DEVICE, .group = -1 };

	snprintf(name.name, sizeof(name.name), "%s", device);
	return mark(signals, &name);
}

static void mark_group(struct bus_signals *signals, int32_t group)
{
	if (group >= 0)
		mark(signals, &(struct bus_object_name){ .node = BUS_NODE_GROUP, .group = group });
}

/* A claim and all that it has, or had when its devices were told of last. */
static void mark_claim(struct bus_signals *signals, const struct claim *claim, bool others)
{
	struct bus_object_name name = { .node = BUS_NODE_CLAIM, .group = -1 };
	size_t count = signals->count;

	snprintf(name.name, sizeof(name.name), "%s", claim->id);
	mark(signals, &name);
	for (size_t i = 0; i < claim->device_count; i++) {
		mark_device(signals, claim->device[i].before.name);
		mark_group(signals, claim->device[i].before.group);
	}
	for (size_t i = 0; others && i < count; i++)
		if (strcmp(signals->object[i]->claim, claim->id) == 0) {
			mark(signals, &signals->object[i]->name);
			mark_group(signals, signals->object[i]->group);
		}
}

static void hear_state(struct bus_signals *signals, const struct news *news)
{
	mark_claim(signals, news->claim, news->before == news->claim->state);
}

static void hear_claim(struct bus_signals *signals, const struct news *news)
{
	mark_claim(signals, news->claim, true);
}

static void hear_device(struct bus_signals *signals, const struct news *news)
{
	mark_device(signals, news->device);
}

static void hear_device_gone(struct bus_signals *signals, const struct news *news)
{
	struct object *object = mark_device(signals, news->device);

	if (object)
		object->replaced = true;
}

static void hear_policy(struct bus_signals *signals, const struct news *news)
{
	/* One that was refused changes what is said of the files. */
	signals->policy_changed = true;
	arm(signals, 0);
}

void bus_signals_hear(struct bus_signals *signals, const struct news *news)
{
	static void (*const hears[NEWS_KIND_COUNT])(struct bus_signals * signals, const struct news *news) = {
		[NEWS_CLAIM] = hear_state,
		[NEWS_CLAIM_GONE] = hear_claim,
		[NEWS_CLAIM_ADOPTED] = hear_claim,
		[NEWS_GROWS] = hear_claim,
		[NEWS_REMOVED] = hear_claim,
		[NEWS_REVOCATION] = hear_claim,
		[NEWS_REVOCATION_STEP] = hear_claim,
		[NEWS_DEVICE] = hear_device,
		[NEWS_DEVICE_GONE] = hear_device_gone,
		[NEWS_POLICY] = hear_policy,
	};

	if (signals->bus && hears[news->kind])
		hears[news->kind](signals, news);
}

/* What is told of a device is remembered, to see what it was when it changes. */
static void remember(struct bus_signals *signals, struct object *object)
{
	const struct registry *registry = arbiter_registry(signals->arbiter);
	const struct claim *claim;
	const struct device *device;

	if (object->name.node != BUS_NODE_DEVICE)
		return;
	device = topology_find(host_topology(registry->host), object->name.name);
	claim = ledger_owner(registry->ledger, object->name.name, NULL);
	object->group = device ? device->group : -1;
	snprintf(object->claim, sizeof(object->claim), "%s", claim ? claim->id : "");
}

static const char *path_of(const struct bus_object_name *name, char path[static BUS_PATH_MAX])
{
	if (name->node == BUS_NODE_DEVICE)
		return bus_path_of_device(name->name, path);
	if (name->node == BUS_NODE_GROUP)
		return bus_path_of_group(name->group, path);
	return name->node == BUS_NODE_CLAIM ? bus_path_of_claim(name->name, path) : BUS_ROOT;
}

/* Sends what was written, if it could be; the message is gone then. */
static void send_signal(sd_bus_message *signal, int result)
{
	if (result >= 0)
		result = sd_bus_message_send(signal);
	if (result < 0)
		log_warning("failed to send a change to the bus: %s", strerror(-result));
	sd_bus_message_unref(signal);
}

static void tell_added(struct bus_signals *signals, const struct object *object)
{
	static const char *const standard[] = { "org.freedesktop.DBus.Properties",
						"org.freedesktop.DBus.Introspectable", "org.freedesktop.DBus.Peer" };
	sd_bus_message *signal = NULL;
	char path[BUS_PATH_MAX];
	int result = sd_bus_message_new_signal(signals->bus, &signal, BUS_ROOT, "org.freedesktop.DBus.ObjectManager",
					       "InterfacesAdded");

	if (result >= 0)
		result = sd_bus_message_append(signal, "o", path_of(&object->name, path));
	if (result >= 0)
		result = sd_bus_message_open_container(signal, 'a', "{sa{sv}}");
	for (size_t i = 0; i < sizeof(standard) / sizeof(standard[0]) && result >= 0; i++)
		result = sd_bus_message_append(signal, "{sa{sv}}", standard[i], 0);
	if (result >= 0)
		result = sd_bus_message_open_container(signal, 'e', "sa{sv}");
	if (result >= 0)
		result = sd_bus_message_append(signal, "s", bus_interface_of(object->name.node));
	if (result >= 0)
		result = bus_property_append_all(signal, signals->arbiter, &object->name, NULL);
	if (result >= 0)
		result = sd_bus_message_close_container(signal);
	if (result >= 0)
		result = sd_bus_message_close_container(signal);
	send_signal(signal, result);
}

static void tell_removed(struct bus_signals *signals, const struct object *object)
{
	sd_bus_message *signal = NULL;
	char path[BUS_PATH_MAX];
	int result = sd_bus_message_new_signal(signals->bus, &signal, BUS_ROOT, "org.freedesktop.DBus.ObjectManager",
					       "InterfacesRemoved");

	if (result >= 0)
		result = sd_bus_message_append(signal, "oas", path_of(&object->name, path), 4,
					       "org.freedesktop.DBus.Properties", "org.freedesktop.DBus.Introspectable",
					       "org.freedesktop.DBus.Peer", bus_interface_of(object->name.node));
	send_signal(signal, result);
}

static void tell_changed(struct bus_signals *signals, const struct bus_object_name *name)
{
	sd_bus_message *signal = NULL;
	char path[BUS_PATH_MAX];
	int result = sd_bus_message_new_signal(signals->bus, &signal, path_of(name, path),
					       "org.freedesktop.DBus.Properties", "PropertiesChanged");

	if (result >= 0)
		result = sd_bus_message_append(signal, "s", bus_interface_of(name->node));
	if (result >= 0)
		result = bus_property_append_changes(signal, signals->arbiter, name);
	send_signal(signal, result);
}

/* Tells what has become of an object; it is dropped if it is no more. */
static void tell(struct bus_signals *signals, struct object *object)
{
	bool exists = bus_object_exists(signals->arbiter, &object->name);
	int32_t before = object->group;
	bool told = object->told, replaced = object->replaced;

	object->replaced = false;
	if (told && (!exists || replaced))
		tell_removed(signals, object);
	if (exists && (!told || replaced))
		tell_added(signals, object);
	else if (exists)
		tell_changed(signals, &object->name);
	object->told = exists;
	remember(signals, object);
	/* Its groups have other members then. */
	if (object->name.node == BUS_NODE_DEVICE && (before != object->group || told != exists || replaced)) {
		mark_group(signals, before);
		mark_group(signals, object->group);
	}
	if (!exists)
		drop(signals, object);
}

/* True if the bus takes what is sent to it. */
static bool bus_takes_more(const struct bus_signals *signals)
{
	uint64_t waits = 0;

	return sd_bus_get_n_queued_write(signals->bus, &waits) >= 0 && waits < WAITING_MAX;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *context)
{
	struct bus_signals *signals = context;

	if (signals->held || !signals->bus)
		return 0;
	if (!bus_takes_more(signals)) {
		arm(signals, 100 * 1000);
		return 0;
	}
	if (signals->policy_changed) {
		signals->policy_changed = false;
		tell_changed(signals, &(struct bus_object_name){ .node = BUS_NODE_MANAGER });
	}
	for (unsigned i = 0; i < TURN_MAX && signals->dirty; i++) {
		struct object *object = signals->dirty;

		signals->dirty = object->next;
		if (!signals->dirty)
			signals->dirty_end = &signals->dirty;
		object->dirty = false;
		tell(signals, object);
	}
	if (!signals->dirty)
		sd_event_now(signals->event, CLOCK_MONOTONIC, &signals->last);
	else
		arm(signals, 0);
	return 0;
}

struct bus_signals *bus_signals_new(sd_event *event, const struct arbiter *arbiter)
{
	struct bus_signals *signals = calloc(1, sizeof(*signals));

	if (signals) {
		signals->event = sd_event_ref(event);
		signals->arbiter = arbiter;
		signals->dirty_end = &signals->dirty;
	}
	return signals;
}

struct bus_signals *bus_signals_free(struct bus_signals *signals)
{
	if (!signals)
		return NULL;
	bus_signals_down(signals);
	sd_event_source_disable_unref(signals->timer);
	sd_event_unref(signals->event);
	free(signals);
	return NULL;
}

static int remember_told(struct bus_signals *signals, const struct bus_object_name *name)
{
	char key[DEVICE_NAME_MAX + 2];
	struct object *object;

	make_key(key, name);
	if (name_table_find(&signals->by_key, key))
		return 0;
	object = add(signals, name);
	if (!object)
		return -ENOMEM;
	object->told = true;
	remember(signals, object);
	return 0;
}

int bus_signals_up(struct bus_signals *signals, sd_bus *bus)
{
	const struct registry *registry = arbiter_registry(signals->arbiter);
	const struct topology *topology = host_topology(registry->host);
	const struct device *device;
	size_t cursor = 0;
	int error = 0;

	while (error == 0 && (device = topology_each(topology, &cursor))) {
		struct bus_object_name name = { .node = BUS_NODE_DEVICE, .group = -1 };

		memcpy(name.name, device->name, sizeof(name.name));
		error = remember_told(signals, &name);
		if (error == 0 && device->group >= 0)
			error = remember_told(signals, &(struct bus_object_name){ .node = BUS_NODE_GROUP,
										  .group = device->group });
	}
	for (const struct claim *claim = ledger_first(registry->ledger); claim && error == 0;
	     claim = ledger_next(claim)) {
		struct bus_object_name name = { .node = BUS_NODE_CLAIM, .group = -1 };

		memcpy(name.name, claim->id, sizeof(claim->id));
		error = remember_told(signals, &name);
	}
	if (error < 0) {
		bus_signals_down(signals);
		return error;
	}
	signals->bus = bus;
	return 0;
}

void bus_signals_down(struct bus_signals *signals)
{
	while (signals->count > 0)
		free(signals->object[--signals->count]);
	free(signals->object);
	signals->object = NULL;
	signals->allocated = 0;
	name_table_done(&signals->by_key);
	signals->dirty = NULL;
	signals->dirty_end = &signals->dirty;
	signals->policy_changed = false;
	signals->timer = sd_event_source_disable_unref(signals->timer);
	signals->bus = NULL;
}

void bus_signals_hold(struct bus_signals *signals)
{
	signals->held++;
}

void bus_signals_release(struct bus_signals *signals)
{
	signals->held--;
	if (signals->dirty || signals->policy_changed)
		arm(signals, 0);
}

const struct bus_object_name *bus_signals_each(const struct bus_signals *signals, size_t *cursor)
{
	while (*cursor < signals->count) {
		const struct object *object = signals->object[(*cursor)++];

		if (object->told)
			return &object->name;
	}
	return NULL;
}
