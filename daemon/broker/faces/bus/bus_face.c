#include "bus_face.h"

#include "bus_methods.h"

#include "../../../base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct bus_face {
	struct bus_books books;
	struct bus_connection *link;
	struct bus_connection_listener link_listener;
	struct news_listener news_listener;
	struct bus_callers *callers;
	struct bus_signals *signals;
	sd_bus_slot *objects, *name;
	bool bus_lost; /* whoever leaves now may come back */
};

static void on_turn(void *context)
{
	bus_methods_run(context);
}

/* The call is begun when it is its user's turn, as those over the socket are. */
static void begin(struct bus_call *call)
{
	if (!bus_call_identify(call))
		return;
	call->turn = (struct turn){ .take = on_turn, .context = call };
	turns_want(call->books->turns, &call->turn, call->requester.subject.uid);
}

static int on_call(sd_bus_message *message, void *context, sd_bus_error *ignored)
{
	struct bus_face *face = context;
	const char *sender = sd_bus_message_get_sender(message), *name, *text;
	const struct bus_method *method;
	struct bus_object_name object;
	struct bus_caller *caller;
	struct bus_call *call;
	int error;

	bus_path_parse(sd_bus_message_get_path(message), &object);
	if (object.node == BUS_NODE_NONE) {
		bus_refuse(message, SD_BUS_ERROR_UNKNOWN_OBJECT, "no such object");
		return 1;
	}
	method = bus_methods_find(face->books.arbiter, &object, sd_bus_message_get_interface(message),
				  sd_bus_message_get_member(message), &name, &text);
	if (!method) {
		bus_refuse(message, name, text);
		return 1;
	}
	error = sender ? bus_callers_get(face->callers, sender, &caller) : -EPERM;
	if (error < 0) {
		bus_refuse(message, error == -EUSERS ? BUS_NAME ".Error.QuotaExceeded" : SD_BUS_ERROR_ACCESS_DENIED,
			   error == -EUSERS ? "too many connections: try again in a moment"
					    : "failed to identify the caller");
		return 1;
	}
	call = bus_call_new(&face->books, caller, message, &object);
	if (!call)
		return 1;
	call->method = method;
	if (caller->known)
		begin(call);
	return 1;
}

/* The first call of a connection; of those that wait to know who it is, if waiting. */
static struct bus_call *call_of(const struct bus_face *face, const struct bus_caller *caller, bool waits)
{
	for (struct bus_call *call = face->books.first; call; call = call->next)
		if (call->caller == caller && !(waits && call->identified))
			return call;
	return NULL;
}

static void on_known(void *context, struct bus_caller *caller)
{
	struct bus_face *face = context;
	struct bus_call *call;

	while ((call = call_of(face, caller, true)))
		begin(call);
}

static void on_unknown(void *context, struct bus_caller *caller, const char *message)
{
	struct bus_face *face = context;
	struct bus_call *call;

	while ((call = call_of(face, caller, false)))
		bus_call_fail(call, SD_BUS_ERROR_ACCESS_DENIED, message);
}

static void on_gone(void *context, struct bus_caller *caller)
{
	struct bus_face *face = context;
	struct bus_call *call;

	while ((call = call_of(face, caller, false)))
		bus_call_leave(call, face->bus_lost);
}

static const struct bus_callers_events caller_events = { .known = on_known, .unknown = on_unknown, .gone = on_gone };

/* True if copies that were sent may still be in this process, because the bus has not taken all that was sent to it. */
static bool is_stuck_in_queue(const struct bus_face *face, const struct bus_offer *offer)
{
	uint64_t waits = 0;

	return offer->queued && face->books.bus && sd_bus_get_n_queued_write(face->books.bus, &waits) >= 0 && waits > 0;
}

/* No descriptor of a device may be here when it is to be proven free. */
static void end_offer(struct bus_face *face, const struct claim *claim, bool over)
{
	struct bus_call *call = bus_offer_find(&face->books, claim->id);

	if (!call)
		return;
	if (is_stuck_in_queue(face, call->offer)) {
		log_warning("claim %s: the bus did not deliver its descriptors", claim->id);
		bus_connection_cut(face->link);
	}
	if (over)
		bus_offer_end(call);
	else
		bus_offer_close(call->offer);
}

static void tell_revocation(struct bus_face *face, const struct news *news)
{
	char path[BUS_PATH_MAX];
	int error = face->books.bus
			    ? sd_bus_emit_signal(face->books.bus, bus_path_of_claim(news->claim->id, path),
						 bus_interface_of(BUS_NODE_CLAIM), "RevocationAsked", "t", news->usec)
			    : 0;

	if (error < 0)
		log_warning("claim %s: failed to ask its client over the bus: %s", news->claim->id, strerror(-error));
}

static void on_news(void *context, const struct news *news)
{
	struct bus_face *face = context;

	if (news->kind == NEWS_OFFER_OVER)
		end_offer(face, news->claim, true);
	else if (news->kind == NEWS_CLAIM && news->before == CLAIM_OFFERED && news->claim->state != CLAIM_OFFERED)
		end_offer(face, news->claim, false);
	else if (news->kind == NEWS_REVOCATION)
		tell_revocation(face, news);
	bus_signals_hear(face->signals, news);
}

static int on_name(sd_bus_message *reply, void *context, sd_bus_error *ignored)
{
	const sd_bus_error *error = sd_bus_message_get_error(reply);
	uint32_t answer = 0;

	if (error)
		log_error("the bus does not let ioasidd be " BUS_NAME ": %s; is its file in dbus-1/system.d?",
			  error->message ? error->message : error->name);
	else if (sd_bus_message_read(reply, "u", &answer) < 0 || answer == 2)
		log_warning("another process is " BUS_NAME " on the bus: ioasidd waits for it to leave");
	return 0;
}

static void on_up(void *context, sd_bus *bus)
{
	struct bus_face *face = context;
	int error;

	face->books.bus = bus;
	/* In this order: the bus has to tell who leaves before anybody can call. */
	error = bus_callers_up(face->callers, bus);
	if (error >= 0)
		error = bus_signals_up(face->signals, bus);
	if (error >= 0)
		error = sd_bus_add_fallback(bus, &face->objects, BUS_ROOT, on_call, face);
	if (error >= 0)
		error = sd_bus_request_name_async(bus, &face->name, BUS_NAME, SD_BUS_NAME_QUEUE, on_name, face);
	if (error < 0) {
		log_error("cannot use the bus: %s", strerror(-error));
		bus_connection_cut(face->link);
	}
}

static void on_down(void *context)
{
	struct bus_face *face = context;

	face->bus_lost = true;
	bus_callers_down(face->callers);
	face->bus_lost = false;
	bus_signals_down(face->signals);
	face->objects = sd_bus_slot_unref(face->objects);
	face->name = sd_bus_slot_unref(face->name);
	face->books.bus = NULL;
}

int bus_face_new(sd_event *event, struct bus_connection *link, struct arbiter *arbiter, struct bus_face **out)
{
	struct bus_face *face = calloc(1, sizeof(*face));
	int error;

	if (!face)
		return -ENOMEM;
	face->link = link;
	face->news_listener = (struct news_listener){ .hear = on_news, .context = face };
	face->link_listener = (struct bus_connection_listener){ .up = on_up, .down = on_down, .context = face };
	error = bus_books_init(&face->books, event, arbiter);
	face->callers = bus_callers_new(&caller_events, face);
	face->signals = bus_signals_new(event, arbiter);
	if (error >= 0 && face->callers && face->signals)
		face->books.listings = bus_listings_new(&face->books, face->signals);
	if (error >= 0)
		error = face->books.listings ? 0 : -ENOMEM;
	if (error < 0) {
		bus_face_free(face);
		return error;
	}
	arbiter_listen(arbiter, &face->news_listener);
	bus_connection_listen(link, &face->link_listener);
	*out = face;
	return 0;
}

struct bus_face *bus_face_free(struct bus_face *face)
{
	if (!face)
		return NULL;
	bus_connection_unlisten(face->link, &face->link_listener);
	if (face->books.bus)
		on_down(face);
	/* Offers that a bus could come back for. */
	while (face->books.first)
		bus_call_end(face->books.first);
	arbiter_unlisten(face->books.arbiter, &face->news_listener);
	bus_listings_free(face->books.listings);
	bus_callers_free(face->callers);
	bus_signals_free(face->signals);
	bus_books_done(&face->books);
	free(face);
	return NULL;
}
