#include "run.h"

#include "admission.h"
#include "claim_steps.h"
#include "delivery_steps.h"
#include "release_steps.h"
#include "run_check.h"

#include "../../policy/util/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct runs {
	struct machine *machine;
	struct faults *faults;
	TAILQ_HEAD(, run) all;
	TAILQ_HEAD(, run) ready;
	struct timer turn; /* runs what is ready when the loop comes round */
	size_t count, hung;
	void (*changed)(void *context);
	void *changed_context;
};

/* What a step does, and how it is undone (NULL: nothing to undo). */
static const struct {
	int (*act)(struct run *run, const struct step *step);
	int (*undo)(struct run *run, const struct step *step);
} step_actions[STEP_KIND_COUNT] = {
	[STEP_OVERRIDE] = { do_override, undo_override },
	[STEP_UNBIND] = { do_unbind, undo_unbind },
	[STEP_PROBE] = { do_probe, undo_probe },
	[STEP_CONTEXT] = { do_context, undo_context },
	[STEP_CONTAINER] = { do_container, undo_context },
	[STEP_GROUP] = { do_group, undo_group },
	[STEP_GROUP_DEVICE] = { do_group_device, undo_group_device },
	[STEP_OPEN] = { do_open, undo_open },
	/* These end with the files that the steps before them have opened. */
	[STEP_BIND] = { do_bind, NULL },
	[STEP_IOAS] = { do_ioas, NULL },
	[STEP_ATTACH] = { do_attach, NULL },
	[STEP_GRANT] = { do_grant, undo_grant },
	[STEP_MEMLOCK] = { do_memlock, NULL },
	[STEP_REVOKE] = { do_revoke, NULL },
	[STEP_UNMAP] = { do_unmap, NULL },
	[STEP_PROVE_NO_HOLDER] = { do_prove_no_holder, NULL },
	[STEP_PROVE_UNBOUND] = { do_prove_unbound, NULL },
	[STEP_PROVE_GROUP_FREE] = { do_prove_group_free, NULL },
	[STEP_BUS_MASTER_OFF] = { do_bus_master_off, NULL },
	[STEP_RESET] = { do_reset, NULL },
	[STEP_UNBIND_VFIO] = { do_unbind_vfio, NULL },
	[STEP_RESTORE] = { do_restore, NULL },
};

static void run_free(struct run *run)
{
	waiter_cancel(&run->waiter);
	loop_clear_timer(run->machine->loop, &run->timed_call);
	if (run->ready)
		TAILQ_REMOVE(&run->runs->ready, run, ready_link);
	/* What was not given to anybody has no other copy. */
	for (size_t i = 0; i < run->file_count; i++)
		if (run->file[i])
			kernel_close_device(run->file[i]);
	for (size_t i = 0; i < run->group_count; i++)
		if (run->group[i])
			kernel_close_group(run->group[i]);
	if (run->context && run->passed_context < 0)
		kernel_close_context(run->context);
	descriptor_close(&run->passed_context);
	descriptor_close(&run->peer_fd);
	descriptor_close(&run->pidfd);
	if (run->locked)
		run_unlock(run);
	plan_done(&run->plan);
	free(run->skip);
	free(run->marked);
	free(run);
}

static void note_change(struct runs *runs)
{
	if (runs->changed)
		runs->changed(runs->changed_context);
}

static void make_ready(struct run *run)
{
	if (run->ready)
		return;
	run->ready = true;
	TAILQ_INSERT_TAIL(&run->runs->ready, run, ready_link);
	loop_set_timer(run->machine->loop, &run->runs->turn, 0);
}

static void on_wake(struct waiter *waiter)
{
	make_ready((struct run *)((char *)waiter - offsetof(struct run, waiter)));
}

static void on_patience_over(struct timer *timer)
{
	struct run *run = (struct run *)((char *)timer - offsetof(struct run, timed_call));

	run->patience_over = true;
	make_ready(run);
}

/* Gives the FDs of a claim that is done away: into the list, which owns them then. */
static void give_descriptors(struct run *run, struct descriptors *fds)
{
	struct wire_result *result = &run->result;

	if (run->context && run->passed_context < 0) {
		descriptors_add(fds, stand_in_give(&run->context->stand_in));
		result->contexts = 1;
		run->context = NULL;
	}
	for (size_t i = 0; i < run->group_count; i++) {
		descriptors_add(fds, stand_in_give(&run->group[i]->stand_in));
		run->group[i] = NULL;
	}
	for (size_t i = 0; i < run->file_count; i++) {
		descriptors_add(fds, stand_in_give(&run->file[i]->stand_in));
		run->file[i] = NULL;
	}
	result->groups = (uint32_t)run->group_count;
	result->devices = (uint32_t)run->file_count;
	result->ioas_id = run->ioas;
}

/* Sends the result and ends the run. */
static void finish(struct run *run)
{
	struct wire_result *result = &run->result;
	struct runs *runs = run->runs;
	struct descriptors fds = { .count = 0 };
	union wire_message message;

	if (run->entered)
		admission_settle(run);
	if (run->kind == WIRE_PLAN_CLAIM && result->outcome == WIRE_OUTCOME_DONE && run->done)
		give_descriptors(run, &fds);
	/* The claim goes on for a while, and its mappings can be removed only with its context. */
	if (result->outcome == WIRE_OUTCOME_HELD && run->passed_context >= 0) {
		descriptors_add(&fds, descriptor_take(&run->passed_context));
		result->contexts = 1;
	}
	if (result->outcome == WIRE_OUTCOME_HELD && run->pidfd >= 0)
		descriptors_add(&fds, descriptor_take(&run->pidfd));
	machine_publish(run->machine);
	message.result = *result;
	wire_stamp(&message, WIRE_RESULT, run->id);
	TAILQ_REMOVE(&runs->all, run, link);
	runs->count--;
	if (run->done)
		run->done(run->done_context, &message, &fds);
	descriptors_close(&fds);
	run_free(run);
	note_change(runs);
}

/* What the result says of the step that has failed: the first that does is the plan's outcome. */
static void note_failure(struct run *run, enum wire_outcome outcome, int error)
{
	struct wire_result *result = &run->result;
	const struct step *step = &run->plan.step[run->next];
	char what[TEXT_MAX / 2];

	if (result->outcome != WIRE_OUTCOME_DONE)
		return;
	result->outcome = outcome;
	result->step = (uint32_t)run->next;
	result->kind = step->kind;
	result->error = -error;
	memcpy(result->device, step->device, sizeof(result->device));
	if (!*run->why)
		run_say(run, "could not %s: %s", step_describe(step, what, sizeof(what)), strerror(-error));
	memcpy(result->text, run->why, sizeof(result->text));
}

/* An undo that fails is the worst of results: the host is not as it was. The other undos are done all the same. */
static void note_broken(struct run *run, const struct step *step, int error)
{
	struct wire_result *result = &run->result;
	char what[TEXT_MAX / 2];

	if (result->outcome != WIRE_OUTCOME_BROKEN)
		text_append(result->text, sizeof(result->text), ". It could not all be put back: %s: %s",
			    step_describe(step, what, sizeof(what)), strerror(-error));
	result->outcome = WIRE_OUTCOME_BROKEN;
}

static enum wire_outcome release_outcome(const struct step *step, int error)
{
	bool proves = step->kind == STEP_PROVE_UNBOUND || step->kind == STEP_PROVE_GROUP_FREE;

	if (step->kind == STEP_PROVE_NO_HOLDER || (proves && (error == -EINVAL || error == -EPERM || error == -EBUSY)))
		return WIRE_OUTCOME_HELD;
	return step->kind == STEP_RESET ? WIRE_OUTCOME_NO_RESET : WIRE_OUTCOME_BROKEN;
}

/*
 * Of a device where a step of a release failed, the rest is left alone, and so are the members of its group: a group
 * stays closed as long as one of its devices is not free.
 */
static void close_group(struct run *run)
{
	const struct simulated_device *failed = run_device(run, &run->plan.step[run->next]);

	for (size_t i = run->next + 1; i < run->plan.count && failed; i++) {
		const struct simulated_device *device = run_device(run, &run->plan.step[i]);

		if (device && (device == failed || (failed->group && device->group == failed->group)))
			run->skip[i] = true;
	}
}

/* A step has failed. */
static void fail(struct run *run, int error)
{
	enum wire_outcome outcome;

	if (run->kind == WIRE_PLAN_CLAIM) {
		note_failure(run, WIRE_OUTCOME_UNDONE, error);
		run->undoing = true;
		return;
	}
	outcome = release_outcome(&run->plan.step[run->next], error);
	if (outcome == WIRE_OUTCOME_HELD && step_is_waived(&run->plan.step[run->next])) {
		run->why[0] = '\0';
		run->next++;
		return;
	}
	note_failure(run, outcome, error);
	close_group(run);
	/* The proofs come before everything else: nothing has changed yet, and he is asked for again soon. */
	run->next = outcome == WIRE_OUTCOME_HELD ? run->plan.count : run->next + 1;
}

/* The worker has ended: nothing is undone, and what it had open is closed. Ends the run. */
static void die(struct run *run)
{
	run->result = (struct wire_result){ .outcome = WIRE_OUTCOME_INTERRUPTED, .kind = STEP_KIND_COUNT };
	text_format(run->result.text, sizeof(run->result.text),
		    "the worker ended in the middle of the plan: nobody knows how far it came");
	finish(run);
}

/* What faults have to say at this point. True: the run hangs, or has ended. */
static bool struck(struct run *run, int kind, const char *device, int *error)
{
	int number = 0;
	enum fault_effect effect = FAULT_NONE;
	bool undo = run->undoing && kind != FAULT_AT_RESULT;

	if (!run->struck)
		effect = faults_strike(run->runs->faults, kind, device, undo, &number);
	*error = -number;
	if (effect == FAULT_KILL) {
		die(run);
		return true;
	}
	run->struck = effect == FAULT_HANG;
	if (effect != FAULT_HANG)
		return false;
	run->hung = true;
	run->runs->hung++;
	note_change(run->runs);
	return true;
}

/* The step that the run has come to, done or undone. 0, STEP_WAITS (a fault's hang, too, or the run has ended), -errno.
 */
static int take_step(struct run *run, size_t index)
{
	const struct step *step = &run->plan.step[index];
	int (*action)(struct run * run, const struct step *step);
	int error;

	action = run->undoing ? step_actions[step->kind].undo : step_actions[step->kind].act;
	if (!action || (run->skip && run->skip[index]))
		return 0;
	if (struck(run, (int)step->kind, step->device, &error))
		return STEP_WAITS;
	if (error == 0) {
		/* Whatever comes of it, the same step's next try is not struck anew. */
		run->struck = true;
		run->why[0] = '\0';
		error = action(run, step);
	}
	/* Done all the same: a reset that was tried, and could not be had. */
	if (error == 0 && *run->why && !*run->result.text)
		memcpy(run->result.text, run->why, sizeof(run->why));
	if (error != STEP_WAITS) {
		run->struck = false;
		run->patience_over = false;
		waiter_cancel(&run->waiter);
		loop_clear_timer(run->machine->loop, &run->timed_call);
	}
	return error;
}

/* Before the first step. False: the run waits, or was refused. */
static bool begin(struct run *run)
{
	if (run->locked)
		return true;
	if (run_lock(run) != 0)
		return false;
	if (run_is_allowed(run, run->result.text))
		return true;
	run->result.outcome = WIRE_OUTCOME_REFUSED;
	finish(run);
	return false;
}

/* Goes on until the run waits or has ended. */
static void advance(struct run *run)
{
	int error;

	if (!begin(run))
		return;
	while (!run->undoing && run->next < run->plan.count) {
		error = take_step(run, run->next);
		if (error == STEP_WAITS)
			return;
		if (error < 0)
			fail(run, error);
		else
			run->next++;
	}
	while (run->undoing && run->next > 0) {
		error = take_step(run, run->next - 1);
		if (error == STEP_WAITS)
			return;
		if (error < 0)
			note_broken(run, &run->plan.step[run->next - 1], error);
		run->next--;
	}
	if (struck(run, FAULT_AT_RESULT, "", &error))
		return;
	if (error < 0)
		die(run);
	else
		finish(run);
}

static void run_ready(struct timer *timer)
{
	struct runs *runs = (struct runs *)((char *)timer - offsetof(struct runs, turn));
	struct run *run;

	while ((run = TAILQ_FIRST(&runs->ready))) {
		TAILQ_REMOVE(&runs->ready, run, ready_link);
		run->ready = false;
		if (!run->hung)
			advance(run);
	}
	machine_publish(runs->machine);
}

int plan_runs_new(struct machine *machine, struct faults *faults, struct runs **out)
{
	struct runs *runs = calloc(1, sizeof(*runs));

	if (!runs)
		return -ENOMEM;
	runs->machine = machine;
	runs->faults = faults;
	runs->turn.expired = run_ready;
	TAILQ_INIT(&runs->all);
	TAILQ_INIT(&runs->ready);
	*out = runs;
	return 0;
}

struct runs *plan_runs_free(struct runs *runs)
{
	struct run *run;

	if (!runs)
		return NULL;
	while ((run = TAILQ_FIRST(&runs->all))) {
		TAILQ_REMOVE(&runs->all, run, link);
		run_free(run);
	}
	loop_clear_timer(runs->machine->loop, &runs->turn);
	admission_forget(runs->machine);
	free(runs);
	return NULL;
}

/* Takes over what the inbox has, which is empty then. */
static void take_order(struct run *run, struct wire_plan_inbox *inbox)
{
	run->id = inbox->id;
	run->kind = (enum wire_plan_kind)inbox->kind;
	run->plan = inbox->plan;
	run->passed_context = inbox->enclosure.context;
	run->peer_fd = inbox->enclosure.peer_fd;
	run->peer = inbox->enclosure.peer;
	run->owner = inbox->enclosure.owner;
	run->policy_digest = inbox->policy_digest;
	memset(inbox, 0, sizeof(*inbox));
}

/* True if another plan of this claim is under way for the same broker. */
static bool is_under_way(const struct run *run)
{
	const struct run *other;

	TAILQ_FOREACH(other, &run->runs->all, link)
	if (other != run && other->entered && other->done && strcmp(other->owner.claim, run->owner.claim) == 0)
		return true;
	return false;
}

/* Lets a plan through and goes on with it, or answers it. */
static void enter(struct run *run)
{
	if (is_under_way(run)) {
		text_format(run->result.text, sizeof(run->result.text), "another plan of the claim %s is under way",
			    run->owner.claim);
		run->result.outcome = WIRE_OUTCOME_REFUSED;
		finish(run);
	} else if (!admission_enter(run, run->result.text)) {
		run->result.outcome = WIRE_OUTCOME_REFUSED;
		finish(run);
	} else if (run->kind == WIRE_PLAN_RELEASE && run->plan.count == 0) {
		finish(run);
	} else {
		run->entered = true;
		advance(run);
	}
}

int plan_runs_start(struct runs *runs, struct wire_plan_inbox *inbox, const struct policy_in_force *policy,
		    run_done done, void *context)
{
	struct run *run = calloc(1, sizeof(*run));
	bool *skip = calloc(inbox->plan.count + 1, sizeof(*skip));
	bool *marked = calloc(inbox->plan.count + 1, sizeof(*marked));

	if (!run || !skip || !marked) {
		free(run);
		free(skip);
		free(marked);
		wire_plan_inbox_done(inbox);
		return -ENOMEM;
	}
	take_order(run, inbox);
	run->runs = runs;
	run->machine = runs->machine;
	run->policy = policy;
	run->skip = skip;
	run->marked = marked;
	run->pidfd = -1;
	run->done = done;
	run->done_context = context;
	run->waiter.wake = on_wake;
	run->timed_call.expired = on_patience_over;
	run->result.kind = STEP_KIND_COUNT;
	TAILQ_INSERT_TAIL(&runs->all, run, link);
	runs->count++;
	note_change(runs);
	enter(run);
	return 0;
}

void runs_forget(struct runs *runs, const void *context)
{
	struct run *run;

	TAILQ_FOREACH(run, &runs->all, link)
	if (run->done_context == context) {
		run->done = NULL;
		run->policy = NULL;
	}
}

void runs_unhang(struct runs *runs)
{
	struct run *run;

	faults_clear(runs->faults, true);
	TAILQ_FOREACH(run, &runs->all, link)
	{
		if (!run->hung)
			continue;
		run->hung = false;
		make_ready(run);
	}
	runs->hung = 0;
	note_change(runs);
}

size_t plan_runs_count(const struct runs *runs)
{
	return runs->count;
}

size_t runs_hung(const struct runs *runs)
{
	return runs->hung;
}

void runs_watch(struct runs *runs, void (*changed)(void *context), void *context)
{
	runs->changed = changed;
	runs->changed_context = context;
}
