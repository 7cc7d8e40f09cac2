#include "holding.h"

#include "journal.h"

#include "../base/clock.h"
#include "../base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>

struct holding *holding_of(const struct claim *claim)
{
	return claim->attachment;
}

static int attach(struct registry *registry, const char *id, struct holding **out)
{
	struct holding *holding = calloc(1, sizeof(*holding));
	struct claim *claim;
	int error;

	if (!holding)
		return -ENOMEM;
	error = ledger_add(registry->ledger, id, &claim);
	if (error < 0) {
		free(holding);
		return error;
	}
	holding->registry = registry;
	holding->claim = claim;
	holding->context = holding->lease = holding->holder = -1;
	holding->state_usec = clock_usec(CLOCK_MONOTONIC);
	claim->attachment = holding;
	*out = holding;
	return 0;
}

int holding_new(struct registry *registry, struct holding **out)
{
	char id[SD_ID128_STRING_MAX];
	sd_id128_t random;
	int error = sd_id128_randomize(&random);

	if (error < 0)
		return error;
	return attach(registry, sd_id128_to_string(random, id), out);
}

int holding_adopt(struct registry *registry, const struct claim *read, struct holding **out)
{
	struct holding *holding;
	int error = attach(registry, read->id, &holding);

	if (error < 0)
		return error;
	memcpy(holding->claim->rule, read->rule, sizeof(read->rule));
	holding->claim->uid = read->uid;
	holding->claim->gid = read->gid;
	holding->claim->pid = read->pid;
	holding->claim->mode = read->mode;
	holding->claim->interface = read->interface;
	holding->claim->state = read->state;
	holding->claim->since = read->since;
	holding->claim->ioas_id = read->ioas_id;
	holding->claim->memlock = read->memlock;
	holding->claim->revoked = read->revoked;
	holding->claim->lease = read->lease;
	memcpy(holding->claim->lease_unit, read->lease_unit, sizeof(read->lease_unit));
	memcpy(holding->claim->lease_invocation, read->lease_invocation, sizeof(read->lease_invocation));
	memcpy(holding->claim->unit, read->unit, sizeof(read->unit));
	memcpy(holding->claim->note, read->note, sizeof(read->note));
	memcpy(holding->claim->changing, read->changing, sizeof(read->changing));
	holding->claim->adding = read->adding;
	holding->claim->lease_lost = read->lease_lost;
	for (size_t i = 0; i < read->device_count && error == 0; i++)
		error = ledger_take(registry->ledger, holding->claim, &read->device[i]);
	if (error < 0) {
		holding_end(holding);
		return error;
	}
	*out = holding;
	return 0;
}

void holding_end(struct holding *holding)
{
	holding_take_asker(holding);
	holding_end_offer(holding);
	while (holding->awaiting) {
		struct requester *waiting = holding->awaiting;

		holding->awaiting = waiting->next_awaiting;
		waiting->awaiting = NULL;
	}
	holding_end_lease(holding);
	sd_event_source_disable_unref(holding->holder_source);
	store_drop_cancel(holding->unstoring);
	if (holding->registry->host)
		host_forget_questions(holding->registry->host, holding);
	descriptor_close(&holding->context);
	descriptor_close(&holding->holder);
	holding_tell(holding, (struct news){ .kind = NEWS_CLAIM_GONE });
	ledger_remove(holding->registry->ledger, holding->claim);
	free(holding);
}

void holding_store(struct holding *holding)
{
	struct store *store = holding->registry->store;

	if (holding->lease_over || holding->registry->ending)
		return;
	if (holding->lease >= 0)
		store_put(store, STORED_LEASE, holding->claim->id, holding->lease);
	if (holding->context >= 0)
		store_put(store, STORED_CONTEXT, holding->claim->id, holding->context);
}

int holding_journal(struct holding *holding)
{
	struct registry *registry = holding->registry;
	int error;

	if (registry->ending)
		return -ESHUTDOWN;
	error = journal_write(registry->journal, host_boot_id(registry->host), holding->claim);
	if (error < 0)
		log_error("claim %s: its journal can't be written: %s", holding->claim->id, strerror(-error));
	return error;
}

int holding_step(struct holding *holding, enum claim_event event)
{
	int next = claim_state_step(holding->claim->state, event);

	if (holding->registry->ending)
		return -ESHUTDOWN;
	if (next < 0) {
		log_internal_error("claim %s: %s can't happen while it is %s", holding->claim->id, claim_event_to_string(event),
			  claim_state_to_string(holding->claim->state));
		return next;
	}
	if (holding->claim->state == CLAIM_RELEASING && next != CLAIM_RELEASING)
		waiting_stir(holding->registry->waiting, holding->claim);

	enum claim_state before = holding->claim->state;
	uint64_t since = holding->state_usec;
	int error;

	holding->claim->state = (enum claim_state)next;
	if (next != (int)before)
		holding->state_usec = clock_usec(CLOCK_MONOTONIC);
	if (next == CLAIM_FREE)
		error = journal_remove(holding->registry->journal, holding->claim->id);
	else
		error = next == CLAIM_PLANNED ? 0 : holding_journal(holding);
	holding_tell(holding, (struct news){ .kind = NEWS_CLAIM, .event = event, .before = before,
					     .usec = holding->state_usec - since });
	return error;
}

void holding_tell_devices(struct holding *holding)
{
	holding_tell(holding, (struct news){ .kind = NEWS_CLAIM, .event = CLAIM_EVENT_DONE,
					     .before = holding->claim->state });
}

void holding_tell(const struct holding *holding, struct news news)
{
	news.claim = holding->claim;
	newsroom_tell(&holding->registry->news, &news);
}

int holding_arm(struct holding *holding, uint64_t usec, sd_event_time_handler_t handler)
{
	holding->timer = sd_event_source_disable_unref(holding->timer);
	if (usec == 0)
		return 0;
	return sd_event_add_time_relative(holding->registry->event, &holding->timer, CLOCK_MONOTONIC, usec, 0, handler,
					  holding);
}

void holding_stop_waiting(struct holding *holding)
{
	holding->holder_source = sd_event_source_disable_unref(holding->holder_source);
	descriptor_close(&holding->holder);
	holding_arm(holding, 0, NULL);
	holding->retries = 0;
}

void holding_end_lease(struct holding *holding)
{
	holding->lease_source = sd_event_source_disable_unref(holding->lease_source);
	holding->lease_unit = unit_watch_free(holding->lease_unit);
	holding->grace = sd_event_source_disable_unref(holding->grace);
	descriptor_close(&holding->lease);
}

void holding_end_offer(struct holding *holding)
{
	holding_arm(holding, 0, NULL);
	if (!holding->offered_to)
		return;
	holding->offered_to->unacknowledged = NULL;
	holding->offered_to = NULL;
	newsroom_tell(&holding->registry->news, &(struct news){ .kind = NEWS_OFFER_OVER, .claim = holding->claim });
}

void holding_answer_awaiting(struct holding *holding)
{
	struct claim *claim = holding->claim;
	struct answer answer = { .kind = ANSWER_RELEASED, .state = claim->state, .note = claim->note };

	while (holding->awaiting && !holding->registry->ending) {
		struct requester *waiting = holding->awaiting;

		holding->awaiting = waiting->next_awaiting;
		waiting->next_awaiting = NULL;
		waiting->awaiting = NULL;
		if (waiting->resumes) {
			waiting->resumes = false;
			requester_answer_kind(waiting, ANSWER_WRONG_STATE, claim, "there is nothing left to resume: nobody "
										  "has held its devices any more");
		} else {
			requester_answer(waiting, &answer);
		}
	}
}

void holding_give_back(struct holding *holding, const char *device)
{
	struct claim *claim = holding->claim;
	struct claim_device *entry = claim_find_device(claim, device);
	int32_t group = entry ? entry->before.group : -1;

	if (!entry)
		return;
	if (group >= 0 && holding_others_in_group(holding, group, device) > 0) {
		/* Its group stays the claim's. */
		entry->lockout = true;
		return;
	}
	for (size_t i = claim->device_count; i > 0; i--)
		if (claim->device[i - 1].before.group == group) {
			char name[DEVICE_NAME_MAX];

			memcpy(name, claim->device[i - 1].before.name, sizeof(name));
			ledger_give_back(holding->registry->ledger, claim, name);
		}
}

struct requester *holding_take_asker(struct holding *holding)
{
	struct requester *asker = holding->asker;

	holding->asker = NULL;
	if (asker)
		asker->asking = NULL;
	return asker;
}

size_t holding_others_in_group(const struct holding *holding, int32_t group, const char *apart_from)
{
	const struct claim *claim = holding->claim;
	size_t count = 0;

	for (size_t i = 0; i < claim->device_count; i++)
		if (!claim->device[i].lockout && claim->device[i].before.group == group &&
		    (!apart_from || strcmp(claim->device[i].before.name, apart_from) != 0))
			count++;
	return count;
}
