#include "engine.h"

#include "claim_steps.h"
#include "release_steps.h"

#include <errno.h>
#include <string.h>

/* Every failure has a sentence: this one, where the call that failed had none. */
static void explain(struct plan_run *run, const struct step *step, int error)
{
	char what[TEXT_MAX / 2];

	if (!run->why[0])
		plan_fail(run, 0, "failed to %s: %s", step_describe(step, what, sizeof(what)), strerror(-error));
}

static void note_step(struct wire_result *result, const struct plan_run *run, enum wire_outcome outcome, int error)
{
	const struct step *step = &run->plan->step[run->next];

	result->outcome = outcome;
	result->step = (uint32_t)run->next;
	result->kind = step->kind;
	result->error = error;
	memcpy(result->device, step->device, sizeof(result->device));
	text_format(result->text, sizeof(result->text), "%s", run->why);
}

/* Whether a step, or its undo, is to be made at all: 0; HOST_CALL_NOT_YET; -errno: it fails before it is begun. */
static int begin_step(struct plan_run *run, const struct step *step)
{
	int error = 0;

	if (run->begun)
		return 0;
	run->why[0] = '\0';
	run->stage = 0;
	if (run->calls->step_begins)
		error = run->calls->step_begins(run, step, run->undoing);
	run->begun = error == 0;
	return error;
}

/* Once a step is through, with whatever result. */
static void end_step(struct plan_run *run)
{
	run->begun = false;
	run->stage = 0;
	if (run->calls->step_ended)
		run->calls->step_ended(run);
}

/* Makes a step of a claim, or its undo. 0, HOST_CALL_NOT_YET, -errno with run->why. */
static int take_claim_step(struct plan_run *run, const struct step *step)
{
	const struct claim_step *kind = claim_step_of((enum step_kind)step->kind);
	int error;

	if (!kind)
		return run->undoing ? 0 : plan_fail(run, -EINVAL, "a claim contains a step of a release");
	if (run->undoing && !kind->undo)
		return 0;
	error = begin_step(run, step);
	if (error == 0)
		error = run->undoing ? kind->undo(run, step) : kind->make(run, step);
	if (error == HOST_CALL_NOT_YET)
		return error;
	end_step(run);
	if (error < 0)
		explain(run, step, error);
	return error;
}

/* Undoes the steps up to and with the one that failed, backwards. All are tried, whatever fails. False: not yet. */
static bool undo(struct plan_run *run, struct wire_result *result)
{
	for (; run->next > 0; run->next--) {
		int error = take_claim_step(run, &run->plan->step[run->next - 1]);

		if (error == HOST_CALL_NOT_YET)
			return false;
		if (error == 0)
			continue;
		if (result->outcome != WIRE_OUTCOME_BROKEN)
			text_append(result->text, sizeof(result->text), ". Not everything could be restored: %s",
				    run->why);
		result->outcome = WIRE_OUTCOME_BROKEN;
	}
	return true;
}

static bool advance_claim(struct plan_run *run, struct wire_result *result)
{
	while (!run->undoing && run->next < run->plan->count) {
		int error = take_claim_step(run, &run->plan->step[run->next]);

		if (error == HOST_CALL_NOT_YET)
			return false;
		if (error < 0) {
			note_step(result, run, WIRE_OUTCOME_UNDONE, -error);
			run->undoing = true;
		}
		run->next++;
	}
	if (run->undoing)
		return undo(run, result);
	result->ioas_id = run->ioas_id;
	result->memlock_before = run->memlock_before;
	return true;
}

/*
 * Closes what is left of the plan to a device, and to all of its group: a group stays closed as long as one of its
 * devices is not free.
 */
static void close_group(struct plan_run *run, struct plan_device *device)
{
	device->closed = true;
	for (size_t i = 0; i < run->device_count; i++)
		if (device->group >= 0 && run->device[i].group == device->group)
			run->device[i].closed = true;
}

/* Makes a step of a release. False: not yet. */
static bool take_release_step(struct plan_run *run, const struct step *step, struct release_verdict *verdict)
{
	int error = begin_step(run, step);

	*verdict = (struct release_verdict){ .outcome = WIRE_OUTCOME_DONE };
	if (error == 0)
		error = release_step_make(run, step, verdict);
	else if (error < 0)
		release_step_fail(run, step, error, verdict);
	if (error == HOST_CALL_NOT_YET)
		return false;
	end_step(run);
	if (verdict->outcome != WIRE_OUTCOME_DONE)
		explain(run, step, -verdict->error);
	return true;
}

static bool advance_release(struct plan_run *run, struct wire_result *result)
{
	for (; run->next < run->plan->count; run->next++) {
		const struct step *step = &run->plan->step[run->next];
		struct plan_device *device = plan_device_of(run, step);
		struct release_verdict verdict;

		if (device && device->closed)
			continue;
		if (!take_release_step(run, step, &verdict))
			return false;
		if (verdict.outcome == WIRE_OUTCOME_DONE) {
			/* A reset that was tried, and could not be had. */
			if (run->why[0] && !result->text[0])
				text_format(result->text, sizeof(result->text), "%s", run->why);
			continue;
		}
		/* The first one that fails is the plan's outcome. */
		if (result->outcome == WIRE_OUTCOME_DONE)
			note_step(result, run, verdict.outcome, verdict.error);
		/* The proofs come before everything else: nothing has changed yet, and he is asked for again soon. */
		if (verdict.outcome == WIRE_OUTCOME_HELD)
			run->next = run->plan->count - 1;
		else if (device)
			close_group(run, device);
	}
	return true;
}

bool engine_advance(struct plan_run *run, struct wire_result *result)
{
	if (result->outcome == WIRE_OUTCOME_DONE)
		result->kind = STEP_KIND_COUNT;
	return run->release ? advance_release(run, result) : advance_claim(run, result);
}
