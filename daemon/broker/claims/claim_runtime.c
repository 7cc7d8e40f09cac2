#include "claim_runtime.h"

#include "../../base/clock.h"
#include "../../base/claim_files.h"
#include "../../base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>

struct claim_runtime *claim_runtime_of(const struct claim *claim)
{
	return claim->attachment;
}

int claim_runtime_add(struct registry *registry, const struct claim *claim, struct claim_runtime **out)
{
	struct claim_runtime *runtime = calloc(1, sizeof(*runtime));
	int error = runtime ? ledger_add(registry->ledger, claim, &runtime->claim) : -ENOMEM;

	if (error < 0) {
		free(runtime);
		return error;
	}
	runtime->registry = registry;
	runtime->context = runtime->lease = runtime->holder = -1;
	runtime->state_usec = clock_usec(CLOCK_MONOTONIC);
	runtime->claim->attachment = runtime;
	*out = runtime;
	return 0;
}

int claim_runtime_new(struct registry *registry, struct claim *made, struct claim_runtime **out)
{
	char id[SD_ID128_STRING_MAX];
	sd_id128_t random;
	int error = sd_id128_randomize(&random);

	if (error < 0)
		return error;
	snprintf(made->id, sizeof(made->id), "%s", sd_id128_to_string(random, id));
	return claim_runtime_add(registry, made, out);
}

void claim_runtime_end(struct claim_runtime *runtime)
{
	claim_runtime_take_asker(runtime);
	claim_runtime_end_offer(runtime);
	while (runtime->awaiting) {
		struct requester *waits = runtime->awaiting;

		runtime->awaiting = waits->next_awaiting;
		waits->awaiting = NULL;
	}
	claim_runtime_end_lease(runtime);
	sd_event_source_disable_unref(runtime->holder_source);
	fdstore_drop_cancel(runtime->unstoring);
	if (runtime->registry->host)
		host_forget_questions(runtime->registry->host, runtime);
	descriptor_close(&runtime->context);
	descriptor_close(&runtime->holder);
	claim_runtime_tell(runtime, (struct news){ .kind = NEWS_CLAIM_GONE });
	ledger_remove(runtime->registry->ledger, runtime->claim);
	free(runtime);
}

void claim_runtime_store(struct claim_runtime *runtime)
{
	struct fdstore *store = runtime->registry->store;

	if (runtime->lease_over || runtime->registry->ending)
		return;
	if (runtime->lease >= 0)
		fdstore_put(store, STORED_LEASE, runtime->claim->id, runtime->lease);
	if (runtime->context >= 0)
		fdstore_put(store, STORED_CONTEXT, runtime->claim->id, runtime->context);
}

int claim_runtime_record(struct claim_runtime *runtime)
{
	struct registry *registry = runtime->registry;
	int error;

	if (registry->ending)
		return -ESHUTDOWN;
	error = claim_files_write(registry->claim_files, host_boot_id(registry->host), runtime->claim);
	if (error < 0)
		log_error("claim %s: cannot write its state file: %s", runtime->claim->id, strerror(-error));
	return error;
}

int claim_runtime_step(struct claim_runtime *runtime, enum claim_event event)
{
	int next = claim_state_step(runtime->claim->state, event);

	if (runtime->registry->ending)
		return -ESHUTDOWN;
	if (next < 0) {
		log_internal_error("claim %s: %s is not possible while it is %s", runtime->claim->id,
				   claim_event_to_string(event), claim_state_to_string(runtime->claim->state));
		return next;
	}
	if (runtime->claim->state == CLAIM_RELEASING && next != CLAIM_RELEASING)
		release_wait_stir(runtime->registry->waits, runtime->claim);

	enum claim_state before = runtime->claim->state;
	uint64_t since = runtime->state_usec;
	int error;

	runtime->claim->state = (enum claim_state)next;
	if (next != (int)before)
		runtime->state_usec = clock_usec(CLOCK_MONOTONIC);
	if (next == CLAIM_FREE)
		error = claim_files_remove(runtime->registry->claim_files, runtime->claim->id);
	else
		error = next == CLAIM_PLANNED ? 0 : claim_runtime_record(runtime);
	claim_runtime_tell(runtime, (struct news){ .kind = NEWS_CLAIM,
						   .event = event,
						   .before = before,
						   .usec = runtime->state_usec - since });
	return error;
}

void claim_runtime_tell_devices(struct claim_runtime *runtime)
{
	claim_runtime_tell(runtime, (struct news){ .kind = NEWS_CLAIM,
						   .event = CLAIM_EVENT_DONE,
						   .before = runtime->claim->state });
}

void claim_runtime_tell(const struct claim_runtime *runtime, struct news news)
{
	news.claim = runtime->claim;
	newsroom_tell(&runtime->registry->news, &news);
}

int claim_runtime_arm(struct claim_runtime *runtime, uint64_t usec, sd_event_time_handler_t handler)
{
	runtime->timer = sd_event_source_disable_unref(runtime->timer);
	if (usec == 0)
		return 0;
	return sd_event_add_time_relative(runtime->registry->event, &runtime->timer, CLOCK_MONOTONIC, usec, 0, handler,
					  runtime);
}

void claim_runtime_stop_waiting(struct claim_runtime *runtime)
{
	runtime->holder_source = sd_event_source_disable_unref(runtime->holder_source);
	descriptor_close(&runtime->holder);
	claim_runtime_arm(runtime, 0, NULL);
	runtime->retries = 0;
}

void claim_runtime_end_lease(struct claim_runtime *runtime)
{
	runtime->lease_source = sd_event_source_disable_unref(runtime->lease_source);
	runtime->lease_unit = unit_watch_free(runtime->lease_unit);
	runtime->grace = sd_event_source_disable_unref(runtime->grace);
	descriptor_close(&runtime->lease);
}

void claim_runtime_end_offer(struct claim_runtime *runtime)
{
	claim_runtime_arm(runtime, 0, NULL);
	if (!runtime->offered_to)
		return;
	runtime->offered_to->unacknowledged = NULL;
	runtime->offered_to = NULL;
	newsroom_tell(&runtime->registry->news, &(struct news){ .kind = NEWS_OFFER_OVER, .claim = runtime->claim });
}

void claim_runtime_answer_awaiting(struct claim_runtime *runtime)
{
	struct claim *claim = runtime->claim;
	struct answer answer = { .kind = ANSWER_RELEASED, .state = claim->state, .note = claim->note };

	while (runtime->awaiting && !runtime->registry->ending) {
		struct requester *waits = runtime->awaiting;

		runtime->awaiting = waits->next_awaiting;
		waits->next_awaiting = NULL;
		waits->awaiting = NULL;
		if (waits->resumes) {
			waits->resumes = false;
			requester_answer_kind(waits, ANSWER_WRONG_STATE, claim,
					      "there is nothing left to resume: nobody held its devices any longer");
		} else {
			requester_answer(waits, &answer);
		}
	}
}

void claim_runtime_give_back(struct claim_runtime *runtime, const char *device)
{
	ledger_shrink(runtime->registry->ledger, runtime->claim, device);
}

struct requester *claim_runtime_take_asker(struct claim_runtime *runtime)
{
	struct requester *asker = runtime->asker;

	runtime->asker = NULL;
	if (asker)
		asker->asking = NULL;
	return asker;
}
