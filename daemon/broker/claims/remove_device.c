#include "remove_device.h"

#include "release_plan.h"
#include "release.h"
#include "repeat_plan.h"

#include "../../base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void remove_again(struct claim_runtime *runtime);

/* A removal that somebody still stands in the way of waits for him, if the claim can't do otherwise. */
static bool waits_for_holder(struct claim_runtime *runtime, const struct wire_result *result)
{
	char text[TEXT_MAX];

	if (!runtime->persists || result->outcome != WIRE_OUTCOME_HELD || !repeat_plan_persist(runtime, remove_again))
		return false;
	snprintf(text, sizeof(text),
		 "%s was added, but not acknowledged before a restart: it is removed when every FD of it is closed",
		 runtime->device);
	if (!runtime->claim->note[0])
		memcpy(runtime->claim->note, text, sizeof(text));
	requester_answer_kind(claim_runtime_take_asker(runtime), ANSWER_WRONG_STATE, runtime->claim, text);
	return true;
}

/* The note above is true no more. */
static void drop_note_of_waiting(struct claim_runtime *runtime)
{
	if (runtime->persists && strncmp(runtime->claim->note, runtime->device, strlen(runtime->device)) == 0)
		runtime->claim->note[0] = '\0';
}

/* True if the removal is run again in a moment. Its asker is answered then. */
static bool tries_removal_again(struct claim_runtime *runtime, const struct wire_result *result)
{
	if (runtime->lease_over)
		return false;
	if (result->outcome != WIRE_OUTCOME_INTERRUPTED) {
		runtime->repeats = 0;
		return waits_for_holder(runtime, result);
	}
	log_warning("claim %s: the removal of %s did not come to its end: %s", runtime->claim->id, runtime->device,
		    result->text);
	return repeat_plan_start(runtime, remove_again) ||
	       (runtime->persists && repeat_plan_persist(runtime, remove_again));
}

static void on_removal_done(void *context, const struct wire_result *result, struct descriptors *fds)
{
	struct claim_runtime *runtime = context;
	struct requester *asker;
	char message[3 * TEXT_MAX];
	bool rolls_back;

	runtime->run = RUNTIME_IDLE;
	runtime->overdue = false;
	if (tries_removal_again(runtime, result))
		return;
	asker = claim_runtime_take_asker(runtime);
	rolls_back = runtime->rolls_back;
	drop_note_of_waiting(runtime);
	runtime->rolls_back = runtime->persists = runtime->claim->adding = false;
	runtime->repeats = runtime->retries = 0;
	runtime->claim->changing[0] = '\0';
	if (result->outcome == WIRE_OUTCOME_DONE) {
		claim_runtime_give_back(runtime, runtime->device);
		claim_runtime_record(runtime);
		claim_runtime_tell_devices(runtime);
		claim_runtime_tell(runtime, (struct news){ .kind = NEWS_REMOVED, .device = runtime->device });
		requester_answer_kind(asker, ANSWER_DONE, runtime->claim, NULL);
	} else if (!runtime->registry->ending) {
		release_plan_note(runtime, result);
		snprintf(message, sizeof(message), "%s was not removed and stays in the claim: %s%s", runtime->device,
			 runtime->claim->note,
			 result->outcome == WIRE_OUTCOME_HELD ? ": close every FD of it first" : "");
		claim_runtime_tell(runtime, (struct news){ .kind = NEWS_FAILED,
							   .device = runtime->device,
							   .message = message,
							   .result = result });
		if (result->outcome == WIRE_OUTCOME_HELD)
			requester_answer_kind(asker, ANSWER_WRONG_STATE, runtime->claim, message);
		else
			requester_answer_failed(asker, message, result);
		runtime->claim->note[0] = '\0';
		claim_runtime_record(runtime);
	}
	/* An addition that was never acknowledged and can't be taken back alone ends the claim. */
	if (runtime->lease_over || (rolls_back && result->outcome != WIRE_OUTCOME_DONE))
		release_start(runtime);
}

static void on_removal_overdue(void *context)
{
	struct claim_runtime *runtime = context;

	release_note_overdue(runtime);
	requester_answer_failed(
		claim_runtime_take_asker(runtime),
		"the removal passed its deadline; the device stays in the claim until the kernel returns", NULL);
}

static const struct run_events removal_events = { .done = on_removal_done, .overdue = on_removal_overdue };

int remove_device_start(struct claim_runtime *runtime, const char *device)
{
	struct claim *claim = runtime->claim;
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
		memmove(runtime->device, entry->before.name, sizeof(runtime->device));
		memmove(claim->changing, entry->before.name, sizeof(claim->changing));
		error = claim_runtime_record(runtime);
	}
	if (error == 0)
		error = release_plan_run(runtime, RUNTIME_REMOVES, &plan, &removal_events);
	plan_done(&plan);
	free(given);
	return error;
}

/* The removal that paused goes on, or gives way to the release of the whole claim. */
static void remove_again(struct claim_runtime *runtime)
{
	struct wire_result result = { .outcome = WIRE_OUTCOME_INTERRUPTED, .kind = STEP_KIND_COUNT };
	char device[DEVICE_NAME_MAX];
	int error = -ECANCELED;

	memcpy(device, runtime->device, sizeof(device));
	if (!runtime->lease_over)
		error = remove_device_start(runtime, device);
	if (error == 0)
		return;
	memcpy(result.device, device, sizeof(device));
	snprintf(result.text, sizeof(result.text), "%s",
		 runtime->lease_over ? "the claim was released meanwhile" : "the removal could not be started");
	on_removal_done(runtime, &result, &(struct descriptors){ .count = 0 });
}

void remove_device_resume(struct claim_runtime *runtime)
{
	const struct claim_device *entry = claim_find_device(runtime->claim, runtime->claim->changing);

	if (!entry || entry->lockout)
		return;
	memcpy(runtime->device, runtime->claim->changing, sizeof(runtime->device));
	runtime->persists = runtime->claim->adding;
	log_notice("claim %s: removing %s", runtime->claim->id, runtime->device);
	remove_again(runtime);
}

bool remove_device_hasten(struct claim_runtime *runtime, const char *device, struct requester *requester)
{
	if (runtime->run != RUNTIME_PAUSES || !runtime->persists || runtime->asker ||
	    strcmp(runtime->device, device) != 0)
		return false;
	runtime->asker = requester;
	requester->asking = runtime;
	repeat_plan_hasten(runtime);
	return true;
}
