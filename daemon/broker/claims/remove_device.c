#include "remove_device.h"

#include "release_plan.h"
#include "release.h"
#include "repeat_plan.h"

#include "../../base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void remove_again(struct holding *holding);

/* A removal that somebody still stands in the way of waits for him, if the claim can't do otherwise. */
static bool waits_for_holder(struct holding *holding, const struct wire_result *result)
{
	char text[TEXT_MAX];

	if (!holding->persists || result->outcome != WIRE_OUTCOME_HELD || !repeating_persist(holding, remove_again))
		return false;
	snprintf(text, sizeof(text), "%s was added, but not acknowledged before a restart: it is taken back when every FD of "
				     "it is closed", holding->device);
	if (!holding->claim->note[0])
		memcpy(holding->claim->note, text, sizeof(text));
	requester_answer_kind(holding_take_asker(holding), ANSWER_WRONG_STATE, holding->claim, text);
	return true;
}

/* The note above is true no more. */
static void drop_note_of_waiting(struct holding *holding)
{
	if (holding->persists && strncmp(holding->claim->note, holding->device, strlen(holding->device)) == 0)
		holding->claim->note[0] = '\0';
}

/* True if the removal is run again in a moment. Its asker is answered then. */
static bool tries_removal_again(struct holding *holding, const struct wire_result *result)
{
	if (holding->lease_over)
		return false;
	if (result->outcome != WIRE_OUTCOME_INTERRUPTED) {
		holding->repeats = 0;
		return waits_for_holder(holding, result);
	}
	log_warning("claim %s: the removal of %s did not come to its end: %s", holding->claim->id, holding->device,
		    result->text);
	return repeating_start(holding, remove_again) || (holding->persists && repeating_persist(holding, remove_again));
}

static void on_removal_done(void *context, const struct wire_result *result, struct descriptors *fds)
{
	struct holding *holding = context;
	struct requester *asker;
	char message[3 * TEXT_MAX];
	bool rolls_back;

	holding->run = HOLDING_IDLE;
	holding->overdue = false;
	if (tries_removal_again(holding, result))
		return;
	asker = holding_take_asker(holding);
	rolls_back = holding->rolls_back;
	drop_note_of_waiting(holding);
	holding->rolls_back = holding->persists = holding->claim->adding = false;
	holding->repeats = holding->retries = 0;
	holding->claim->changing[0] = '\0';
	if (result->outcome == WIRE_OUTCOME_DONE) {
		holding_give_back(holding, holding->device);
		holding_journal(holding);
		holding_tell_devices(holding);
		holding_tell(holding, (struct news){ .kind = NEWS_REMOVED, .device = holding->device });
		requester_answer_kind(asker, ANSWER_DONE, holding->claim, NULL);
	} else if (!holding->registry->ending) {
		release_plan_note(holding, result);
		snprintf(message, sizeof(message), "%s was not given back and stays in the claim: %s%s", holding->device,
			 holding->claim->note,
			 result->outcome == WIRE_OUTCOME_HELD ? ": close every FD of it first" : "");
		holding_tell(holding, (struct news){ .kind = NEWS_FAILED, .device = holding->device, .message = message,
						     .result = result });
		if (result->outcome == WIRE_OUTCOME_HELD)
			requester_answer_kind(asker, ANSWER_WRONG_STATE, holding->claim, message);
		else
			requester_answer_failed(asker, message, result);
		holding->claim->note[0] = '\0';
		holding_journal(holding);
	}
	/* An addition that was never acknowledged and can't be taken back alone ends the claim. */
	if (holding->lease_over || (rolls_back && result->outcome != WIRE_OUTCOME_DONE))
		releasing_start(holding);
}

static void on_removal_overdue(void *context)
{
	struct holding *holding = context;

	releasing_note_overdue(holding);
	requester_answer_failed(holding_take_asker(holding), "the removal passed its deadline; the device stays in the claim "
							      "until the kernel lets go of it", NULL);
}

static const struct run_events removal_events = { .done = on_removal_done, .overdue = on_removal_overdue };

int removing_start(struct holding *holding, const char *device)
{
	struct claim *claim = holding->claim;
	const struct claim_device *entry = claim_find_device(claim, device);
	struct giving_back how = { .interface = claim->interface };
	struct plan plan = { 0 };
	size_t count = 0;
	struct claim_device *given = claim_copy_removal(claim, device, &count, &how.pin);
	int error = given ? 0 : -ENOMEM;

	/* Of a group that the claim keeps only the cdev's node goes, with the unbind. */
	if (error == 0 && claim->mode == MODE_NODE && !how.pin)
		error = plan_for_revocation(&plan, given, count, claim->uid, false);
	if (error == 0)
		error = plan_for_release(&plan, given, count, &how);
	if (error == 0) {
		memmove(holding->device, entry->before.name, sizeof(holding->device));
		memmove(claim->changing, entry->before.name, sizeof(claim->changing));
		error = holding_journal(holding);
	}
	if (error == 0)
		error = release_plan_run(holding, HOLDING_REMOVES, &plan, &removal_events);
	plan_done(&plan);
	free(given);
	return error;
}

/* The removal that paused goes on, or gives way to the release of the whole claim. */
static void remove_again(struct holding *holding)
{
	struct wire_result result = { .outcome = WIRE_OUTCOME_INTERRUPTED, .kind = STEP_KIND_COUNT };
	char device[DEVICE_NAME_MAX];
	int error = -ECANCELED;

	memcpy(device, holding->device, sizeof(device));
	if (!holding->lease_over)
		error = removing_start(holding, device);
	if (error == 0)
		return;
	memcpy(result.device, device, sizeof(device));
	snprintf(result.text, sizeof(result.text), "%s",
		 holding->lease_over ? "the claim was released meanwhile" : "the removal could not be started");
	on_removal_done(holding, &result, &(struct descriptors){ .count = 0 });
}

void removing_resume(struct holding *holding)
{
	const struct claim_device *entry = claim_find_device(holding->claim, holding->claim->changing);

	if (!entry || entry->lockout)
		return;
	memcpy(holding->device, holding->claim->changing, sizeof(holding->device));
	holding->persists = holding->claim->adding;
	log_notice("claim %s: %s is being taken back", holding->claim->id, holding->device);
	remove_again(holding);
}

bool removing_hasten(struct holding *holding, const char *device, struct requester *requester)
{
	if (holding->run != HOLDING_PAUSES || !holding->persists || holding->asker || strcmp(holding->device, device) != 0)
		return false;
	holding->asker = requester;
	requester->asking = holding;
	repeating_hasten(holding);
	return true;
}
