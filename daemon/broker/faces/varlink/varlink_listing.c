#include "varlink_listing.h"

#include "../reports.h"

#include "../../../../policy/util/json_write.h"
#include "../../../../policy/report/reply_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Devices written in one turn: some 10 KiB of text. */
enum { TURN_MAX = 16 };

struct varlink_listing {
	struct varlink_client *client;
	char *names; /* one after the other, with their NULs */
	const char *next, *end;
	bool first;           /* no device is written yet */
	bool groups;          /* it is of groups, which are written in one turn */
	struct looker looker; /* until the host was looked at */
};

/* False: out of memory. */
static bool write_device(struct varlink_listing *listing, const struct device *device, const struct outlook *outlook,
			 FILE *stream)
{
	const struct arbiter *arbiter = listing->client->arbiter;
	const struct claim_device *entry = NULL;
	const struct claim *owner = ledger_owner(arbiter_registry(arbiter)->ledger, device->name, &entry);
	bool see = owner && arbiter_may_see(arbiter, &listing->client->requester, owner);
	struct json_object *object = reply_json_device(device, owner, entry, see, outlook);
	const char *text = json_text(object);
	bool written = text && (listing->first || fputc(',', stream) != EOF) && fputs(text, stream) != EOF;

	listing->first = false;
	json_object_put(object);
	return written;
}

/* Writes the next devices, and the end if they are the last. False: out of memory. */
static bool write_some(struct varlink_listing *listing, FILE *stream)
{
	const struct arbiter *arbiter = listing->client->arbiter;
	const struct topology *topology = host_topology(arbiter_registry(arbiter)->host);
	struct outlook outlook = device_looks_outlook(arbiter_looking(arbiter),
						      arbiter_is_operator(arbiter, &listing->client->requester));
	bool begun = listing->next > listing->names;
	bool whole = begun || fputs("{\"parameters\":{\"devices\":[", stream) != EOF;

	for (unsigned i = 0; i < TURN_MAX && whole && listing->next < listing->end; i++) {
		const struct device *device = topology_find(topology, listing->next);

		listing->next += strlen(listing->next) + 1;
		whole = !device || write_device(listing, device, &outlook, stream);
	}
	if (whole && listing->next == listing->end)
		whole = fputs("]}}", stream) != EOF && fputc('\0', stream) != EOF;
	return whole;
}

static void write_next(struct varlink_listing *listing)
{
	struct varlink_client *client = listing->client;
	char *text = NULL;
	size_t length = 0;
	FILE *stream = open_memstream(&text, &length);
	bool whole = stream && write_some(listing, stream), last = listing->next == listing->end;

	if (stream && fclose(stream) != 0)
		whole = false;
	if (!varlink_connection_send_part(client->connection, whole ? text : NULL, length, last) || last)
		client->listing = varlink_listing_free(listing);
	free(text);
}

/* False: out of memory. */
static bool note_names(struct varlink_listing *listing)
{
	size_t count = 0, length = 0;
	const struct device **device =
		topology_sorted(host_topology(arbiter_registry(listing->client->arbiter)->host), &count);
	char *end;

	for (size_t i = 0; i < count; i++)
		length += strlen(device[i]->name) + 1;
	end = listing->names = device ? malloc(length + 1) : NULL;
	for (size_t i = 0; end && i < count; i++)
		end = stpcpy(end, device[i]->name) + 1;
	listing->next = listing->names;
	listing->end = end;
	free(device);
	return listing->names;
}

static void write_groups(struct varlink_listing *listing)
{
	struct varlink_client *client = listing->client;

	client->listing = varlink_listing_free(listing);
	/* Many may have waited for one look. */
	if (!varlink_connection_refuse_excess(client->connection))
		varlink_connection_reply(client->connection, varlink_group_list(client->arbiter, &client->requester),
					 NULL);
}

static void give_up(struct varlink_client *client)
{
	client->listing = varlink_listing_free(client->listing);
	varlink_connection_send_part(client->connection, NULL, 0, true);
}

void varlink_listing_go_on(struct varlink_listing *listing)
{
	if (listing->looker.short_of_memory)
		give_up(listing->client);
	else if (listing->groups)
		write_groups(listing);
	else if (listing->names || note_names(listing))
		write_next(listing);
	else
		give_up(listing->client);
}

/* The host was looked at. */
static void on_looked(void *context)
{
	struct varlink_listing *listing = context;

	varlink_connection_await_turn(listing->client->connection);
}

void varlink_listing_start(struct varlink_client *client, bool groups)
{
	struct varlink_listing *listing = calloc(1, sizeof(*listing));

	if (!listing) {
		varlink_connection_send_part(client->connection, NULL, 0, true);
		return;
	}
	*listing = (struct varlink_listing){
		.client = client, .first = true, .groups = groups, .looker = { .go_on = on_looked, .context = listing }
	};
	client->listing = listing;
	device_looks_ask(arbiter_looking(client->arbiter), &listing->looker, client->requester.subject.uid);
}

struct varlink_listing *varlink_listing_free(struct varlink_listing *listing)
{
	if (listing) {
		device_looks_forget(&listing->looker);
		free(listing->names);
	}
	free(listing);
	return NULL;
}
