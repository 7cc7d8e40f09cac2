#include "bus_listing.h"

#include "bus_property.h"

#include <errno.h>
#include <stdlib.h>

enum {
	TURN_MAX = 16,   /* objects written in one turn of the loop */
	WAITING_MAX = 8, /* messages that the bus has not taken, beyond which no listing is begun: they are large */
};

#define PAUSE_USEC (20 * 1000ULL) /* then */

struct listing {
	struct bus_listings *listings;
	struct bus_call *call;
	sd_bus_message *reply; /* NULL: not begun */
	size_t cursor;
	unsigned round;       /* each user has one in each */
	struct listing *next; /* bus_listings::first */
};

struct bus_listings {
	struct bus_books *books;
	struct bus_signals *signals;
	struct turn turn;
	sd_event_source *pause; /* while the bus takes no more */
	struct listing *first;  /* which is being written; by their rounds */
};

static const char *path_of(const struct bus_object_name *name, char path[static BUS_PATH_MAX])
{
	if (name->node == BUS_NODE_DEVICE)
		return bus_path_of_device(name->name, path);
	return name->node == BUS_NODE_GROUP ? bus_path_of_group(name->group, path)
					    : bus_path_of_claim(name->name, path);
}

/* Goes on with the first, in a turn of its user. */
static void go_on(struct bus_listings *listings)
{
	if (listings->first)
		turns_want(listings->books->turns, &listings->turn, listings->first->call->requester.subject.uid);
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *context)
{
	go_on(context);
	return 0;
}

/* The turn after a while. */
static void pause_listings(struct bus_listings *listings)
{
	if (sd_event_source_set_time_relative(listings->pause, PAUSE_USEC) >= 0)
		sd_event_source_set_enabled(listings->pause, SD_EVENT_ONESHOT);
}

static void end(struct listing *listing)
{
	struct bus_listings *listings = listing->listings;
	struct listing **link = &listings->first;

	while (*link != listing)
		link = &(*link)->next;
	*link = listing->next;
	if (listing->reply)
		bus_signals_release(listings->signals);
	sd_bus_message_unref(listing->reply);
	free(listing);
	/* The next may be another user's. */
	turns_forget(&listings->turn);
	go_on(listings);
}

static void abandon(struct bus_call *call)
{
	end(call->work);
}

static int append_object(sd_bus_message *reply, const struct bus_books *books, const struct bus_call *call,
			 const struct bus_object_name *name)
{
	static const char *const standard[] = { "org.freedesktop.DBus.Properties",
						"org.freedesktop.DBus.Introspectable", "org.freedesktop.DBus.Peer" };
	char path[BUS_PATH_MAX];
	int result = sd_bus_message_open_container(reply, 'e', "oa{sa{sv}}");

	if (result >= 0)
		result = sd_bus_message_append(reply, "o", path_of(name, path));
	if (result >= 0)
		result = sd_bus_message_open_container(reply, 'a', "{sa{sv}}");
	for (size_t i = 0; i < sizeof(standard) / sizeof(standard[0]) && result >= 0; i++)
		result = sd_bus_message_append(reply, "{sa{sv}}", standard[i], 0);
	if (result >= 0)
		result = sd_bus_message_open_container(reply, 'e', "sa{sv}");
	if (result >= 0)
		result = sd_bus_message_append(reply, "s", bus_interface_of(name->node));
	if (result >= 0)
		result = bus_property_append_all(reply, books->arbiter, name, &call->requester);
	if (result >= 0)
		result = sd_bus_message_close_container(reply);
	if (result >= 0)
		result = sd_bus_message_close_container(reply);
	return result < 0 ? result : sd_bus_message_close_container(reply);
}

/* 1: there is more to write; 0: all is written; -errno. */
static int write_some(struct listing *listing)
{
	struct bus_listings *listings = listing->listings;
	const struct bus_object_name *name;
	int result = 0;

	for (unsigned i = 0; i < TURN_MAX && result >= 0; i++) {
		name = bus_signals_each(listings->signals, &listing->cursor);
		if (!name) {
			result = sd_bus_message_close_container(listing->reply);
			return result < 0 ? result : 0;
		}
		/* One that has gone meanwhile is told to have gone after this. */
		if (bus_object_exists(listings->books->arbiter, name))
			result = append_object(listing->reply, listings->books, listing->call, name);
	}
	return result < 0 ? result : 1;
}

static int begin(struct listing *listing)
{
	int result = bus_call_reply_new(listing->call, &listing->reply);

	if (result < 0)
		return result;
	bus_signals_hold(listing->listings->signals);
	return sd_bus_message_open_container(listing->reply, 'a', "{oa{sa{sv}}}");
}

/* True if there is room for one more that is large. */
static bool bus_takes_more(const struct bus_listings *listings)
{
	uint64_t waits = 0;

	return sd_bus_get_n_queued_write(listings->books->bus, &waits) >= 0 && waits < WAITING_MAX;
}

static void on_turn(void *context)
{
	struct bus_listings *listings = context;
	struct listing *listing = listings->first;
	int result = 0;

	if (!listing)
		return;
	if (!listing->reply && !bus_takes_more(listings)) {
		pause_listings(listings);
		return;
	}
	if (!listing->reply)
		result = begin(listing);
	if (result >= 0)
		result = write_some(listing);
	if (result > 0) {
		go_on(listings);
		return;
	}
	/* Before anything is signalled again. */
	bus_call_reply(listing->call, sd_bus_message_ref(listing->reply), result);
	end(listing);
}

struct bus_listings *bus_listings_new(struct bus_books *books, struct bus_signals *signals)
{
	struct bus_listings *listings = calloc(1, sizeof(*listings));

	if (!listings)
		return NULL;
	listings->books = books;
	listings->signals = signals;
	listings->turn = (struct turn){ .take = on_turn, .context = listings };
	if (sd_event_add_time(books->event, &listings->pause, CLOCK_MONOTONIC, 0, 1, on_pause_over, listings) < 0 ||
	    sd_event_source_set_enabled(listings->pause, SD_EVENT_OFF) < 0)
		return bus_listings_free(listings);
	return listings;
}

struct bus_listings *bus_listings_free(struct bus_listings *listings)
{
	if (!listings)
		return NULL;
	turns_forget(&listings->turn);
	sd_event_source_disable_unref(listings->pause);
	free(listings);
	return NULL;
}

void bus_listings_start(struct bus_listings *listings, struct bus_call *call)
{
	struct listing *listing = calloc(1, sizeof(*listing)), **link = &listings->first;

	if (!listing) {
		bus_call_fail(call, "Failed", "ioasidd is out of memory");
		return;
	}
	listing->listings = listings;
	listing->call = call;
	/* Who wants many has one in each round; the first is being written. */
	listing->round = listings->first ? listings->first->round : 0;
	for (const struct listing *other = listings->first; other; other = other->next)
		if (other->call->requester.subject.uid == call->requester.subject.uid)
			listing->round = other->round + 1;
	while (*link && (link == &listings->first || (*link)->round <= listing->round))
		link = &(*link)->next;
	listing->next = *link;
	*link = listing;
	call->abandon = abandon;
	call->work = listing;
	/* Who is not the first waits for those before him. */
	if (listings->first == listing)
		go_on(listings);
}
