#include "varlink_monitors.h"

#include "../../observers/rate_limit.h"
#include "varlink_events.h"

#include "../../../base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct varlink_monitor {
	struct varlink_monitor *next; /* varlink_monitors::first */
	struct varlink_client *client;
	struct account *account;  /* of its user */
	char claim[CLAIM_ID_MAX]; /* "" everything */
};

struct varlink_monitors {
	struct arbiter *arbiter;
	struct news_listener listener;
	struct varlink_monitor *first;
	struct accounts accounts;
	size_t count;
	size_t cut_off;
	struct rate_limit rate; /* of users' refusals: nobody pushes others' events out of a reader's reach by them */
};

/* One event, written down when the first is to get it: for those who see the claim, and for the others. */
struct telling {
	const struct arbiter *arbiter;
	const struct news *news;
	const struct claim *claim; /* that the news is about; NULL: none */
	const char *device; /* not the news itself, but what it means for this device of its claim; NULL: the news */
	const struct claim *owner; /* with device: the claim that has it now */
	struct varlink_text *text[2];
	bool written[2];
};

static void monitor_free(struct varlink_monitor *monitor)
{
	account_give_back(monitor->account);
	free(monitor);
}

static struct varlink_text *text_of(struct telling *telling, bool see)
{
	struct json_object *event;

	if (telling->written[see])
		return telling->text[see];
	telling->written[see] = true;
	event = telling->device ? varlink_event_device(telling->arbiter, telling->device, telling->owner, see)
				: varlink_event(telling->arbiter, telling->news, see);
	if (event)
		telling->text[see] = varlink_text_new(event);
	return telling->text[see];
}

/* True if he may be told, and as whom. */
static bool is_audience(const struct varlink_monitor *monitor, const struct telling *telling, bool *see)
{
	const struct requester *requester = &monitor->client->requester;

	*see = telling->claim && arbiter_may_see(telling->arbiter, requester, telling->claim);
	if (monitor->claim[0] && (!telling->claim || strcmp(monitor->claim, telling->claim->id) != 0))
		return false;
	if (telling->device)
		return true;
	switch (varlink_event_audience(telling->news)) {
	case EVENT_EVERYBODY:
		return true;
	case EVENT_CLAIM:
		return *see;
	case EVENT_SUBJECT:
		return requester->subject.uid == telling->news->subject->uid ||
		       arbiter_is_operator(telling->arbiter, requester);
	case EVENT_NOBODY:
		break;
	}
	return false;
}

static void tell(struct varlink_monitors *monitors, struct telling *telling)
{
	for (struct varlink_monitor *monitor = monitors->first; monitor; monitor = monitor->next) {
		bool see;

		if (is_audience(monitor, telling, &see) &&
		    !varlink_connection_continue(monitor->client->connection, text_of(telling, see)))
			monitors->cut_off++;
	}
	varlink_text_unref(telling->text[0]);
	varlink_text_unref(telling->text[1]);
}

/* What a device is for everybody has changed with the claim that has it, or had it. */
static void tell_device(struct varlink_monitors *monitors, const struct news *news, const char *device,
			const struct claim *owner)
{
	struct telling telling = {
		.arbiter = monitors->arbiter, .news = news, .claim = news->claim, .device = device, .owner = owner
	};

	if (topology_find(host_topology(arbiter_registry(monitors->arbiter)->host), device))
		tell(monitors, &telling);
}

static void tell_devices(struct varlink_monitors *monitors, const struct news *news)
{
	const struct claim *claim = news->claim;

	for (size_t i = 0; i < claim->device_count; i++)
		tell_device(monitors, news, claim->device[i].before.name, claim->state == CLAIM_FREE ? NULL : claim);
}

/* A device was given back, and perhaps its whole group with it. */
static void tell_group(struct varlink_monitors *monitors, const struct news *news)
{
	const struct registry *registry = arbiter_registry(monitors->arbiter);
	const struct topology *topology = host_topology(registry->host);
	const struct device *device = topology_find(topology, news->device), *member[GROUP_MEMBERS_MAX];
	size_t count =
		device && device->group >= 0 ? topology_members(topology, device->group, member, GROUP_MEMBERS_MAX) : 0;

	for (size_t i = 0; i < count && i < GROUP_MEMBERS_MAX; i++)
		if (!device_is_bridge(member[i]))
			tell_device(monitors, news, member[i]->name,
				    ledger_owner(registry->ledger, member[i]->name, NULL));
}

/* Ends the watching of a claim that is no more, each with a last reply. */
static void end_claim(struct varlink_monitors *monitors, const struct news *news)
{
	struct varlink_monitor **link = &monitors->first, *monitor;

	while ((monitor = *link)) {
		if (strcmp(monitor->claim, news->claim->id) != 0) {
			link = &monitor->next;
			continue;
		}
		*link = monitor->next;
		monitors->count--;
		varlink_connection_reply(monitor->client->connection, varlink_event(monitors->arbiter, news, true),
					 NULL);
		monitor_free(monitor);
	}
}

static void hear(void *context, const struct news *news)
{
	struct varlink_monitors *monitors = context;
	struct telling telling = { .arbiter = monitors->arbiter, .news = news, .claim = news->claim };
	uint64_t left_out;

	if (!monitors->first)
		return;
	if (news->kind == NEWS_DEVICE)
		telling.claim = ledger_owner(arbiter_registry(monitors->arbiter)->ledger, news->device, NULL);
	if (news->kind == NEWS_CLAIM_GONE)
		end_claim(monitors, news);
	if (varlink_event_audience(news) == EVENT_NOBODY)
		return;
	if (varlink_event_audience(news) == EVENT_SUBJECT &&
	    !rate_limit_take(&monitors->rate, news->subject->uid, clock_usec(CLOCK_MONOTONIC), &left_out))
		return;
	tell(monitors, &telling);
	if (news->kind == NEWS_CLAIM && news->before != news->claim->state)
		tell_devices(monitors, news);
	if (news->kind == NEWS_REMOVED)
		tell_group(monitors, news);
}

int varlink_monitors_new(struct arbiter *arbiter, struct varlink_monitors **out)
{
	struct varlink_monitors *monitors = calloc(1, sizeof(*monitors));

	if (!monitors)
		return -ENOMEM;
	monitors->arbiter = arbiter;
	monitors->accounts = (struct accounts){ .most = VARLINK_MONITORS_MAX,
						.reserved = VARLINK_MONITORS_RESERVED,
						.per_user = VARLINK_MONITORS_PER_USER_MAX };
	monitors->listener = (struct news_listener){ .hear = hear, .context = monitors };
	arbiter_listen(arbiter, &monitors->listener);
	*out = monitors;
	return 0;
}

struct varlink_monitors *varlink_monitors_free(struct varlink_monitors *monitors)
{
	if (!monitors)
		return NULL;
	arbiter_unlisten(monitors->arbiter, &monitors->listener);
	while (monitors->first) {
		struct varlink_monitor *monitor = monitors->first;

		monitors->first = monitor->next;
		monitor_free(monitor);
	}
	free(monitors);
	return NULL;
}

size_t varlink_monitors_count(const struct varlink_monitors *monitors)
{
	return monitors->count;
}

size_t varlink_monitors_cut_off(const struct varlink_monitors *monitors)
{
	return monitors->cut_off;
}

bool varlink_monitors_add(struct varlink_monitors *monitors, struct varlink_client *client, const char *claim)
{
	struct account *account = accounts_take(&monitors->accounts, client->requester.subject.uid,
						arbiter_is_operator(monitors->arbiter, &client->requester));
	struct varlink_monitor *monitor = account ? calloc(1, sizeof(*monitor)) : NULL;
	struct varlink_text *ready;

	if (!monitor) {
		if (account)
			account_give_back(account);
		return false;
	}
	monitor->account = account;
	monitor->client = client;
	snprintf(monitor->claim, sizeof(monitor->claim), "%s", claim ? claim : "");
	monitor->next = monitors->first;
	monitors->first = monitor;
	monitors->count++;
	ready = varlink_text_new(varlink_event_ready());
	varlink_connection_continue(client->connection, ready);
	varlink_text_unref(ready);
	return true;
}

void varlink_monitors_remove(struct varlink_monitors *monitors, struct varlink_client *client)
{
	for (struct varlink_monitor **link = &monitors->first; *link; link = &(*link)->next) {
		struct varlink_monitor *monitor = *link;

		if (monitor->client != client)
			continue;
		*link = monitor->next;
		monitors->count--;
		monitor_free(monitor);
		return;
	}
}
