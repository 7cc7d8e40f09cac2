#include "claim_runtime.h"

#include "../../base/clock.h"
#include "../../base/claim_files.h"
#include "../../base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>

struct holding *holding_of(const struct claim *claim)
{
	return claim->attachment;
}

static void attach(struct registry *registry, struct claim *claim, struct holding *holding)
{
	holding->registry = registry;
	holding->claim = claim;
	holding->context = holding->lease = holding->holder = -1;
	holding->state_usec = clock_usec(CLOCK_MONOTONIC);
	claim->attachment = holding;
}

int holding_new(struct registry *registry, struct holding **out)
{
	char id[SD_ID128_STRING_MAX];
	sd_id128_t random;
	struct holding *holding = calloc(1, sizeof(*holding));
	struct claim *claim;
	int error = holding ? sd_id128_randomize(&random) : -ENOMEM;

	if (error == 0)
		error = ledger_add(registry->ledger, sd_id128_to_string(random, id), &claim);
	if (error < 0) {
		free(holding);
		return error;
	}
	attach(registry, claim, holding);
	*out = holding;
	return 0;
}

int holding_adopt(struct registry *registry, const struct claim *read, struct holding **out)
{
	struct holding *holding = calloc(1, sizeof(*holding));
	struct claim *claim;
	int error = holding ? ledger_adopt(registry->ledger, read, &claim) : -ENOMEM;

	if (error < 0) {
		free(holding);
		return error;
	}
	attach(registry, claim, holding);
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
	ledger_shrink(holding->registry->ledger, holding->claim, device);
}

struct requester *holding_take_asker(struct holding *holding)
{
	struct requester *asker = holding->asker;

	holding->asker = NULL;
	if (asker)
		asker->asking = NULL;
	return asker;
}
