#include "varlink_listing.h"

#include "../../policy/json_make.h"
#include "../../policy/reply_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Devices written in one turn. */
enum { TURN_MAX = 64 };

struct varlink_listing {
	struct varlink_client *client;
	/* A timer, though it does not wait: what is deferred would always come before everything else. */
	sd_event_source *turn;
	char (*name)[DEVICE_NAME_MAX];
	size_t count, next;
	bool first; /* none is written yet */
	FILE *stream; /* writes text */
	char *text;
	size_t length;
};

/* False: out of memory. */
static bool write_device(struct varlink_listing *listing, const struct device *device)
{
	const struct arbiter *arbiter = listing->client->arbiter;
	const struct claim_device *entry = NULL;
	const struct claim *owner = ledger_owner(arbiter_registry(arbiter)->ledger, device->name, &entry);
	bool see = owner && arbiter_may_see(arbiter, &listing->client->requester, owner);
	struct json_object *object = reply_json_device(device, owner, entry, see);
	const char *text = json_text(object);
	bool written = text && (listing->first || fputc(',', listing->stream) != EOF) && fputs(text, listing->stream) != EOF;

	listing->first = false;
	json_object_put(object);
	return written;
}

/* Answers, or cuts the client off where there is no memory for it. */
static void finish(struct varlink_listing *listing, bool whole)
{
	struct varlink_client *client = listing->client;
	FILE *stream = listing->stream;

	whole = whole && fputs("]}}", stream) != EOF;
	listing->stream = NULL;
	whole = fclose(stream) == 0 && whole;
	varlink_connection_reply_text(client->connection, whole ? listing->text : NULL);
	client->listing = varlink_listing_free(listing);
}

static void take_turn(struct varlink_listing *listing)
{
	const struct topology *topology = host_topology(arbiter_registry(listing->client->arbiter)->host);
	bool whole = true;

	for (size_t end = listing->next + TURN_MAX; whole && listing->next < end && listing->next < listing->count;) {
		const struct device *device = topology_find(topology, listing->name[listing->next++]);

		whole = !device || write_device(listing, device);
	}
	if (!whole || listing->next == listing->count)
		finish(listing, whole);
	else if (sd_event_source_set_time_relative(listing->turn, 0) < 0 ||
		 sd_event_source_set_enabled(listing->turn, SD_EVENT_ONESHOT) < 0)
		finish(listing, false);
}

static int on_turn(sd_event_source *source, uint64_t usec, void *context)
{
	take_turn(context);
	return 0;
}

/* False: out of memory. */
static bool note_names(struct varlink_listing *listing)
{
	size_t count = 0;
	const struct device **device = topology_sorted(host_topology(arbiter_registry(listing->client->arbiter)->host), &count);

	listing->name = device ? calloc(count + 1, sizeof(*listing->name)) : NULL;
	for (size_t i = 0; listing->name && i < count; i++)
		strcpy(listing->name[i], device[i]->name);
	listing->count = count;
	free(device);
	return listing->name;
}

void varlink_listing_start(struct varlink_client *client)
{
	struct varlink_listing *listing = calloc(1, sizeof(*listing));

	if (listing) {
		listing->client = client;
		listing->first = true;
		listing->stream = open_memstream(&listing->text, &listing->length);
	}
	if (!listing || !listing->stream || !note_names(listing) ||
	    sd_event_add_time(arbiter_registry(client->arbiter)->event, &listing->turn, CLOCK_MONOTONIC, 0, 1, on_turn,
			      listing) < 0 ||
	    sd_event_source_set_enabled(listing->turn, SD_EVENT_OFF) < 0 ||
	    fputs("{\"parameters\":{\"devices\":[", listing->stream) == EOF) {
		varlink_listing_free(listing);
		varlink_connection_reply_text(client->connection, NULL);
		return;
	}
	client->listing = listing;
	take_turn(listing);
}

struct varlink_listing *varlink_listing_free(struct varlink_listing *listing)
{
	if (!listing)
		return NULL;
	sd_event_source_disable_unref(listing->turn);
	if (listing->stream)
		fclose(listing->stream);
	free(listing->text);
	free(listing->name);
	free(listing);
	return NULL;
}
