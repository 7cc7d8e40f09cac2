#include "varlink_events.h"

#include "../../../../policy/util/json_write.h"
#include "../../../../policy/report/reply_json.h"
#include "../../../base/clock.h"

#include <string.h>

/* The event of each kind of news, as the interface calls it. What is not listed is none. */
static const struct {
	const char *kind;
	enum event_audience audience;
} events[NEWS_KIND_COUNT] = {
	[NEWS_CLAIM] = { "claim", EVENT_CLAIM },
	[NEWS_CLAIM_GONE] = { "claim-gone", EVENT_CLAIM },
	[NEWS_OFFERED] = { "offered", EVENT_CLAIM },
	[NEWS_REMOVED] = { "removed", EVENT_CLAIM },
	[NEWS_ENDING] = { "ending", EVENT_CLAIM },
	[NEWS_REVOCATION] = { "revocation", EVENT_CLAIM },
	[NEWS_REVOCATION_STEP] = { "revocation-step", EVENT_CLAIM },
	[NEWS_REFUSED] = { "refused", EVENT_SUBJECT },
	[NEWS_FAILED] = { "failed", EVENT_SUBJECT },
	[NEWS_NOT_GRANTED] = { "not-granted", EVENT_CLAIM },
	[NEWS_DEVICE] = { "device", EVENT_EVERYBODY },
	[NEWS_DEVICE_GONE] = { "device-gone", EVENT_EVERYBODY },
	[NEWS_POLICY] = { "policy", EVENT_EVERYBODY },
};

enum event_audience varlink_event_audience(const struct news *news)
{
	/* Between two others within one turn, which nobody else can see. */
	if (news->kind == NEWS_CLAIM && news->claim->state == CLAIM_PLANNED)
		return EVENT_NOBODY;
	/* A failure of a claim that there is concerns whoever may see that. */
	if (news->kind == NEWS_FAILED && news->claim)
		return EVENT_CLAIM;
	return events[news->kind].audience;
}

static struct json_object *text_or_null(const char *text)
{
	return text ? json_make_string_or_null(text) : NULL;
}

static struct json_object *asked_for(const struct decision *decision)
{
	struct json_object *array = json_make_array();

	for (size_t i = 0; decision && i < decision->device_count; i++)
		json_add(array, json_make_string(decision->device[i].device));
	return array;
}

/* The fields of an event. What is NULL is null. */
struct event {
	const char *kind;
	struct json_object *claim, *before, *device, *name, *devices, *uid, *status, *grace, *success, *policy,
		*message;
};

/* The reply's parameters: the event, with every field of the interface's type. */
static struct json_object *write_event(const struct event *event)
{
	const struct {
		const char *name;
		struct json_object *value;
	} field[] = {
		{ "kind", json_make_string(event->kind) },
		{ "time", json_make_number((int64_t)clock_usec(CLOCK_REALTIME)) },
		{ "claim", event->claim },
		{ "before", event->before },
		{ "device", event->device },
		{ "name", event->name },
		{ "devices", event->devices },
		{ "uid", event->uid },
		{ "status", event->status },
		{ "grace", event->grace },
		{ "success", event->success },
		{ "policy", event->policy },
		{ "message", event->message },
	};
	struct json_object *object = json_make_object(), *parameters = json_make_object();

	for (size_t i = 0; i < sizeof field / sizeof *field; i++)
		json_set(object, field[i].name, field[i].value);
	json_set(parameters, "event", object);
	return parameters;
}

struct json_object *varlink_event_ready(void)
{
	return write_event(&(struct event){ .kind = "ready" });
}

static struct json_object *device_json(const struct arbiter *arbiter, const char *name, const struct claim *owner,
				       bool see)
{
	const struct device *device = topology_find(host_topology(arbiter_registry(arbiter)->host), name);
	const struct claim_device *entry = NULL;

	for (size_t i = 0; owner && i < owner->device_count; i++)
		if (strcmp(owner->device[i].before.name, name) == 0)
			entry = &owner->device[i];
	return device ? reply_json_device(device, owner, entry, see, NULL) : NULL;
}

struct json_object *varlink_event_device(const struct arbiter *arbiter, const char *name, const struct claim *owner,
					 bool see)
{
	struct event event = { .kind = "device", .device = device_json(arbiter, name, owner, see) };

	if (!event.device)
		return NULL;
	event.name = json_make_string(name);
	return write_event(&event);
}

/* What was asked for by somebody and not given. */
static void add_attempt(struct event *event, const struct news *news)
{
	const struct blocker *headline = news->kind == NEWS_REFUSED ? decision_headline(news->decision) : NULL;

	event->uid = json_make_number(news->subject->uid);
	event->devices = asked_for(news->decision);
	if (news->kind == NEWS_REFUSED)
		event->status = json_make_number(news->decision->status);
	if (headline)
		event->message = json_make_string(headline->message);
}

struct json_object *varlink_event(const struct arbiter *arbiter, const struct news *news, bool see)
{
	struct event event = { .kind = events[news->kind].kind, .name = text_or_null(news->device) };

	if (news->claim && see)
		event.claim = reply_json_claim(news->claim);
	if (news->kind == NEWS_CLAIM)
		event.before = json_make_string(claim_state_to_string(news->before));
	if (news->kind == NEWS_DEVICE)
		event.device = device_json(arbiter, news->device,
					   ledger_owner(arbiter_registry(arbiter)->ledger, news->device, NULL), see);
	if (news->subject && (news->kind == NEWS_REFUSED || news->kind == NEWS_FAILED))
		add_attempt(&event, news);
	if (news->kind == NEWS_REVOCATION)
		event.grace = json_make_number((int64_t)(news->usec / 1000));
	if (news->kind == NEWS_REVOCATION_STEP || news->kind == NEWS_POLICY)
		event.success = json_make_truth(news->success);
	if (news->kind == NEWS_POLICY)
		event.policy = reply_json_policy(news->policy);
	if (news->message)
		event.message = json_make_string(news->message);
	return write_event(&event);
}
