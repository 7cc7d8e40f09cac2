#include "varlink_events.h"

#include "../../policy/reply_json.h"
#include "../base/clock.h"

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
	/* A failure of a claim that there is concerns whoever may see that. */
	if (news->kind == NEWS_FAILED && news->claim)
		return EVENT_CLAIM;
	return events[news->kind].audience;
}

static struct json_object *text_or_null(const char *text)
{
	return text ? reply_json_text_or_null(text) : NULL;
}

static struct json_object *asked_for(const struct decision *decision)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; decision && i < decision->device_count; i++)
		json_object_array_add(array, json_object_new_string(decision->device[i].device));
	return array;
}

/* An event with every field of the interface's type, as far as nothing else is known: null. */
static struct json_object *new_event(const char *kind)
{
	static const char *const field[] = { "claim", "before", "device", "address", "devices", "uid",  "status",
					     "grace", "success", "policy", "message" };
	struct json_object *event = json_object_new_object();

	json_object_object_add(event, "kind", json_object_new_string(kind));
	json_object_object_add(event, "time", json_object_new_int64((int64_t)clock_usec(CLOCK_REALTIME)));
	for (size_t i = 0; i < sizeof field / sizeof *field; i++)
		json_object_object_add(event, field[i], NULL);
	return event;
}

static struct json_object *as_reply(struct json_object *event)
{
	struct json_object *parameters = json_object_new_object();

	json_object_object_add(parameters, "event", event);
	return parameters;
}

struct json_object *varlink_event_ready(void)
{
	return as_reply(new_event("ready"));
}

static struct json_object *device_json(const struct arbiter *arbiter, const char *name, const struct claim *owner,
				       bool see)
{
	const struct device *device = topology_find(host_topology(arbiter_registry(arbiter)->host), name);
	const struct claim_device *entry = NULL;

	for (size_t i = 0; owner && i < owner->device_count; i++)
		if (strcmp(owner->device[i].before.name, name) == 0)
			entry = &owner->device[i];
	return device ? reply_json_device(device, owner, entry, see) : NULL;
}

struct json_object *varlink_event_device(const struct arbiter *arbiter, const char *name, const struct claim *owner,
					 bool see)
{
	struct json_object *device = device_json(arbiter, name, owner, see), *event;

	if (!device)
		return NULL;
	event = new_event("device");
	json_object_object_add(event, "device", device);
	json_object_object_add(event, "address", json_object_new_string(name));
	return as_reply(event);
}

/* What was asked for by somebody and not given. */
static void add_attempt(struct json_object *event, const struct news *news)
{
	const struct blocker *headline = news->kind == NEWS_REFUSED ? decision_headline(news->decision) : NULL;

	json_object_object_add(event, "uid", json_object_new_int64(news->subject->uid));
	json_object_object_add(event, "devices", asked_for(news->decision));
	if (news->kind == NEWS_REFUSED)
		json_object_object_add(event, "status", json_object_new_int(news->decision->status));
	if (headline)
		json_object_object_add(event, "message", json_object_new_string(headline->message));
}

struct json_object *varlink_event(const struct arbiter *arbiter, const struct news *news, bool see)
{
	struct json_object *event = new_event(events[news->kind].kind);

	if (news->claim && see)
		json_object_object_add(event, "claim", reply_json_claim(news->claim));
	if (news->kind == NEWS_CLAIM)
		json_object_object_add(event, "before", json_object_new_string(claim_state_to_string(news->before)));
	if (news->kind == NEWS_DEVICE)
		json_object_object_add(event, "device",
				       device_json(arbiter, news->device,
						   ledger_owner(arbiter_registry(arbiter)->ledger, news->device, NULL), see));
	json_object_object_add(event, "address", text_or_null(news->device));
	if (news->subject && (news->kind == NEWS_REFUSED || news->kind == NEWS_FAILED))
		add_attempt(event, news);
	if (news->kind == NEWS_REVOCATION)
		json_object_object_add(event, "grace", json_object_new_int64((int64_t)(news->usec / 1000)));
	if (news->kind == NEWS_REVOCATION_STEP || news->kind == NEWS_POLICY)
		json_object_object_add(event, "success", json_object_new_boolean(news->success));
	if (news->kind == NEWS_POLICY)
		json_object_object_add(event, "policy", reply_json_policy(news->policy));
	if (news->message)
		json_object_object_add(event, "message", json_object_new_string(news->message));
	return as_reply(event);
}
