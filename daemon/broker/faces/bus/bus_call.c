#include "bus_call.h"

#include "bus_text.h"

#include "../../../base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

#define ERRORS BUS_NAME ".Error."

static int on_clean(sd_event_source *source, void *context)
{
	struct bus_books *books = context;

	while (books->over) {
		struct bus_call *call = books->over;

		books->over = call->next;
		/* What it offered, and nobody could be told of, is taken back here. */
		arbiter_leave(books->arbiter, &call->requester);
		descriptor_close(&call->pidfd);
		free(call);
	}
	return 0;
}

int bus_books_init(struct bus_books *books, sd_event *event, struct arbiter *arbiter)
{
	int error;

	books->arbiter = arbiter;
	books->event = event;
	books->turns = arbiter_registry(arbiter)->turns;
	books->calls = (struct accounts){ .most = BUS_CALLS_MAX,
					  .reserved = BUS_CALLS_RESERVED,
					  .per_user = BUS_CALLS_PER_USER_MAX };
	books->offers = (struct accounts){ .most = BUS_OFFERS_MAX,
					   .reserved = BUS_OFFERS_RESERVED,
					   .per_user = BUS_OFFERS_PER_USER_MAX };
	error = sd_event_add_defer(event, &books->cleaner, on_clean, books);
	return error < 0 ? error : sd_event_source_set_enabled(books->cleaner, SD_EVENT_OFF);
}

void bus_books_done(struct bus_books *books)
{
	on_clean(NULL, books);
	sd_event_source_disable_unref(books->cleaner);
}

/* Why one more call can't be taken up; NULL: it can. */
static const char *find_quota(const struct bus_books *books, const struct bus_caller *caller)
{
	size_t of_connection = 0;

	for (const struct bus_call *call = books->first; call; call = call->next)
		of_connection += call->message && call->caller == caller;
	if (of_connection >= BUS_CALLS_PER_CONNECTION_MAX)
		return "this connection has too many pending calls: wait for some of them";
	return books->unknown >= BUS_CALLS_UNKNOWN_MAX
		       ? "too many calls of new connections are under way: try again in a moment"
		       : NULL;
}

struct bus_call *bus_call_new(struct bus_books *books, struct bus_caller *caller, sd_bus_message *message,
			      const struct bus_object_name *object)
{
	const char *quota = find_quota(books, caller);
	struct bus_call **end = &books->first;
	struct bus_call *call = quota ? NULL : calloc(1, sizeof(*call));

	if (!call) {
		if (quota)
			bus_refuse(message, ERRORS "QuotaExceeded", quota);
		else
			bus_refuse(message, ERRORS "Failed", "ioasidd is out of memory");
		return NULL;
	}
	call->books = books;
	call->caller = caller;
	caller->calls++;
	call->message = sd_bus_message_ref(message);
	call->object = *object;
	call->requester.authority = AUTHORITY_NONE;
	call->requester.subject.uid = (uid_t)-1;
	call->requester.pidfd = call->pidfd = -1;
	call->requester.context = call;
	while (*end)
		end = &(*end)->next;
	*end = call;
	books->unknown++;
	return call;
}

/* It counts no more among those that wait for something. */
static void give_back(struct bus_call *call)
{
	call->books->unknown -= !call->identified;
	call->identified = true;
	if (call->account)
		account_give_back(call->account);
	call->account = NULL;
}

bool bus_call_identify(struct bus_call *call)
{
	struct bus_books *books = call->books;

	give_back(call);
	call->requester.subject = call->caller->subject;
	call->requester.pidfd = call->caller->pidfd;
	call->requester.pidfd_is_certain = call->caller->pidfd >= 0;
	call->account = accounts_take(&books->calls, call->requester.subject.uid,
				      arbiter_is_operator(books->arbiter, &call->requester));
	if (call->account)
		return true;
	bus_call_fail(call, "QuotaExceeded",
		      "this user, or all users together, have too many pending calls: wait for some of them");
	return false;
}

void bus_call_find_process(struct bus_call *call)
{
	struct requester *requester = &call->requester;

	if (requester->pidfd < 0 && requester->subject.pid > 0)
		requester->pidfd = call->pidfd = pidfd_open(requester->subject.pid, 0);
}

bool bus_call_may_be_offered(struct bus_call *call)
{
	struct bus_books *books = call->books;

	if (sd_bus_message_get_expect_reply(call->message) <= 0) {
		/* Nobody would learn of it. */
		bus_call_end(call);
		return false;
	}
	call->offers = accounts_take(&books->offers, call->requester.subject.uid,
				     arbiter_is_operator(books->arbiter, &call->requester));
	if (call->offers)
		return true;
	bus_call_fail(call, "QuotaExceeded",
		      "too many claims are pending or not acknowledged: call Acknowledge for some of them first");
	return false;
}

/* Sends an error; its text may be anything. 0 or -errno. */
static int send_error(sd_bus_message *message, const char *name, const char *text)
{
	sd_bus_message *reply = NULL;
	const sd_bus_error error = SD_BUS_ERROR_MAKE_CONST(name, NULL);
	int result = 0;

	if (sd_bus_message_get_expect_reply(message) > 0) {
		result = sd_bus_message_new_method_error(message, &reply, &error);
		if (result >= 0)
			result = bus_text_append(reply, text);
		if (result >= 0)
			result = sd_bus_message_send(reply);
	}
	sd_bus_message_unref(reply);
	return result;
}

void bus_refuse(sd_bus_message *message, const char *name, const char *text)
{
	if (send_error(message, name, text) < 0)
		log_warning("failed to send an error over the bus: %s", text);
}

int bus_call_reply_new(const struct bus_call *call, sd_bus_message **out)
{
	return sd_bus_message_new_method_return(call->message, out);
}

void bus_call_reply(struct bus_call *call, sd_bus_message *reply, int error)
{
	if (error >= 0 && sd_bus_message_get_expect_reply(call->message) > 0)
		error = sd_bus_message_send(reply);
	if (error >= 0) {
		call->message = sd_bus_message_unref(call->message);
		give_back(call);
		call->abandon = NULL;
		if (!call->offer)
			bus_call_end(call);
	} else {
		bus_call_fail_with(call, "Failed", "failed to write the reply: %s", strerror(-error));
	}
	sd_bus_message_unref(reply);
}

void bus_call_reply_done(struct bus_call *call)
{
	sd_bus_message *reply = NULL;
	int error = bus_call_reply_new(call, &reply);

	bus_call_reply(call, reply, error);
}

void bus_call_fail(struct bus_call *call, const char *name, const char *message)
{
	char full[128];

	snprintf(full, sizeof(full), "%s%s", strchr(name, '.') ? "" : ERRORS, name);
	bus_refuse(call->message, full, message);
	call->abandon = NULL;
	bus_call_end(call);
}

void bus_call_fail_with(struct bus_call *call, const char *name, const char *format, ...)
{
	char text[2 * TEXT_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	bus_call_fail(call, name, text);
}

void bus_offer_close(struct bus_offer *offer)
{
	for (size_t i = 0; i < offer->group_count; i++)
		descriptor_close(&offer->group[i].fd);
	for (size_t i = 0; i < offer->device_count; i++)
		descriptor_close(&offer->device[i].fd);
	offer->group_count = offer->device_count = 0;
}

static void free_offer(struct bus_call *call)
{
	if (call->offer)
		bus_offer_close(call->offer);
	free(call->offer);
	call->offer = NULL;
}

static void leave_caller(struct bus_call *call)
{
	if (call->caller)
		call->caller->calls--;
	call->caller = NULL;
}

void bus_call_end(struct bus_call *call)
{
	struct bus_books *books = call->books;
	struct bus_call **link = &books->first;

	while (*link && *link != call)
		link = &(*link)->next;
	if (!*link)
		return; /* it is over already */
	*link = call->next;
	turns_forget(&call->turn);
	give_back(call);
	if (call->offers)
		account_give_back(call->offers);
	call->offers = NULL;
	leave_caller(call);
	free_offer(call);
	call->message = sd_bus_message_unref(call->message);
	/* The arbiter's code, or its own, may run for it right now. */
	call->next = books->over;
	books->over = call;
	sd_event_source_set_enabled(books->cleaner, SD_EVENT_ONESHOT);
}

void bus_call_leave(struct bus_call *call, bool keep)
{
	void (*abandon)(struct bus_call *) = call->abandon;

	leave_caller(call);
	call->requester.pidfd = -1;
	call->requester.pidfd_is_certain = false;
	if (call->offer && (keep || !call->offer->by_descriptor))
		return;
	call->abandon = NULL;
	if (abandon)
		abandon(call);
	else if (call->offer)
		arbiter_leave(call->books->arbiter, &call->requester);
	bus_call_end(call);
}

struct bus_call *bus_offer_find(const struct bus_books *books, const char *claim)
{
	for (struct bus_call *call = books->first; call; call = call->next)
		if (call->offer && strcmp(call->offer->claim, claim) == 0)
			return call;
	return NULL;
}

void bus_offer_end(struct bus_call *call)
{
	free_offer(call);
	if (!call->message)
		bus_call_end(call);
}
