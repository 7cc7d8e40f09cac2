#include "transaction.h"

#include "../../../policy/util/text.h"
#include "claim_steps.h"
#include "release_steps.h"

#include <errno.h>
#include <string.h>

static void note_step(struct wire_result *result, const struct run *run, size_t index, enum wire_outcome outcome,
		      int error)
{
	const struct step *step = &run->plan->step[index];

	result->outcome = outcome;
	result->step = (uint32_t)index;
	result->kind = step->kind;
	result->error = error;
	memcpy(result->device, step->device, sizeof(result->device));
	text_format(result->text, sizeof(result->text), "%s", run->why);
}

/* Undoes the steps up to and with the one that failed, backwards. All are tried, whatever fails. */
static void undo(struct run *run, size_t failed, struct wire_result *result)
{
	for (size_t i = failed + 1; i > 0; i--) {
		const struct step *step = &run->plan->step[i - 1];
		const struct claim_step *kind = claim_step_of((enum step_kind)step->kind);

		if (!kind || !kind->undo || kind->undo(run, step) == 0)
			continue;
		if (result->outcome != WIRE_OUTCOME_BROKEN)
			text_append(result->text, sizeof(result->text), ". It could not all be put back: %s", run->why);
		result->outcome = WIRE_OUTCOME_BROKEN;
	}
}

void transaction_claim(struct run *run, struct wire_result *result)
{
	result->kind = STEP_KIND_COUNT;
	result->outcome = WIRE_OUTCOME_DONE;
	for (size_t i = 0; i < run->plan->count; i++) {
		const struct step *step = &run->plan->step[i];
		const struct claim_step *kind = claim_step_of((enum step_kind)step->kind);
		int error =
			kind ? kind->make(run, step) : run_fail(run, -EINVAL, "a step of a release stands in a claim");

		if (error == 0)
			continue;
		note_step(result, run, i, WIRE_OUTCOME_UNDONE, -error);
		undo(run, i, result);
		return;
	}
	result->ioas_id = run->ioas_id;
	result->memlock_before = run->limit_set ? run->limit_before.rlim_cur : 0;
}

/*
 * Closes what is left of the plan to a device, and to all of its group: a group stays closed as long as one of its
 * devices is not free.
 */
static void close_group(struct run *run, struct run_device *device)
{
	device->closed = true;
	for (size_t i = 0; i < run->device_count; i++)
		if (device->group >= 0 && run->device[i].group == device->group)
			run->device[i].closed = true;
}

void transaction_release(struct run *run, struct wire_result *result)
{
	result->kind = STEP_KIND_COUNT;
	result->outcome = WIRE_OUTCOME_DONE;
	for (size_t i = 0; i < run->plan->count; i++) {
		const struct step *step = &run->plan->step[i];
		struct run_device *device = run_device_of(run, step);
		int error, outcome;

		if (device && device->closed)
			continue;
		outcome = release_step_make(run, step, &error);
		if (outcome == 0) {
			/* A reset that was tried, and could not be had. */
			if (run->why[0] && !result->text[0])
				text_format(result->text, sizeof(result->text), "%s", run->why);
			continue;
		}
		/* The first one that fails is the plan's outcome. */
		if (result->outcome == WIRE_OUTCOME_DONE)
			note_step(result, run, i, (enum wire_outcome)outcome, error);
		/* The proofs come before everything else: nothing has changed yet, and he is asked for again soon. */
		if (outcome == WIRE_OUTCOME_HELD)
			return;
		if (device)
			close_group(run, device);
	}
}
