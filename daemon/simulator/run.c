#include "run.h"

#include "admission.h"
#include "run_check.h"
#include "simulated_calls.h"

#include "../../policy/util/text.h"
#include "../plans/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct runs {
	struct machine *machine;
	struct faults *faults;
	struct host_calls calls; /* simulated_calls, and faults */
	TAILQ_HEAD(, run) all;
	TAILQ_HEAD(, run) ready;
	struct timer turn; /* runs what is ready when the loop comes round */
	size_t count, hung;
	void (*changed)(void *context);
	void *changed_context;
};

static void run_free(struct run *run)
{
	waiter_cancel(&run->waiter);
	loop_clear_timer(run->machine->loop, &run->timed_call);
	if (run->ready)
		TAILQ_REMOVE(&run->runs->ready, run, ready_link);
	/* What was not given to anybody has no other copy. */
	for (size_t i = 0; run->files && i < run->engine.device_count; i++) {
		if (run->files[i].device)
			kernel_close_device(run->files[i].device);
		if (run->files[i].group)
			kernel_close_group(run->files[i].group);
	}
	if (run->context)
		kernel_close_context(run->context);
	descriptor_close(&run->passed_context);
	descriptor_close(&run->peer_fd);
	descriptor_close(&run->pidfd);
	if (run->locked)
		run_unlock(run);
	free(run->files);
	plan_run_end(&run->engine);
	plan_done(&run->plan);
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

/* What the plan has opened of a step's device; NULL: the step has none. */
static struct run_files *files_of(const struct run *run, size_t step)
{
	const struct plan_device *device = plan_device_of(&run->engine, &run->plan.step[step]);

	return device ? &run->files[device - run->engine.device] : NULL;
}

/* Gives the FDs of a claim that is done away: into the list, which owns them then. */
static void give_descriptors(struct run *run, struct descriptors *fds)
{
	struct wire_result *result = &run->result;

	if (run->context) {
		descriptors_add(fds, stand_in_give(&run->context->stand_in));
		result->contexts = 1;
		run->context = NULL;
	}
	for (size_t i = 0; i < run->plan.count; i++) {
		struct run_files *files = files_of(run, i);

		if (run->plan.step[i].kind != STEP_GROUP || !files || !files->group)
			continue;
		descriptors_add(fds, stand_in_give(&files->group->stand_in));
		files->group = NULL;
		result->groups++;
	}
	for (size_t i = 0; i < run->plan.count; i++) {
		uint32_t kind = run->plan.step[i].kind;
		struct run_files *files = files_of(run, i);

		if ((kind != STEP_OPEN && kind != STEP_GROUP_DEVICE) || !files || !files->device)
			continue;
		descriptors_add(fds, stand_in_give(&files->device->stand_in));
		files->device = NULL;
		result->devices++;
	}
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

/* The worker has ended: nothing is undone, and what it had open is closed. Ends the run. */
static void die(struct run *run)
{
	run->result = (struct wire_result){ .outcome = WIRE_OUTCOME_INTERRUPTED, .kind = STEP_KIND_COUNT };
	text_format(run->result.text, sizeof(run->result.text),
		    "the worker ended in the middle of the plan: its progress is unknown");
	finish(run);
}

/* What faults have to say at this point. True: the run hangs, or its worker is to end. */
static bool struck(struct run *run, int kind, const char *device, bool undo, int *error)
{
	int number = 0;
	enum fault_effect effect = FAULT_NONE;

	if (!run->struck)
		effect = faults_strike(run->runs->faults, kind, device, undo, &number);
	*error = -number;
	run->killed = effect == FAULT_KILL;
	run->struck = effect == FAULT_HANG;
	if (run->struck) {
		run->hung = true;
		run->runs->hung++;
		note_change(run->runs);
	}
	return run->killed || run->struck;
}

static int on_step(struct plan_run *engine, const struct step *step, bool undo)
{
	int error;

	return struck((struct run *)engine, (int)step->kind, step->device, undo, &error) ? HOST_CALL_NOT_YET : error;
}

/* The next step starts to wait anew. */
static void on_step_ended(struct plan_run *engine)
{
	struct run *run = (struct run *)engine;

	run->patience_over = false;
	waiter_cancel(&run->waiter);
	loop_clear_timer(run->machine->loop, &run->timed_call);
}

/* Before the first step. False: the run waits, or was refused. */
static bool begin(struct run *run)
{
	if (run->locked)
		return true;
	if (run_lock(run) != 0)
		return false;
	if (run->unsound) {
		text_format(run->result.text, sizeof(run->result.text),
			    "cannot start the plan: it has one device under two identities");
	} else if (run_is_allowed(run, run->result.text)) {
		for (size_t i = 0; i < run->engine.device_count; i++) {
			struct plan_device *planned = &run->engine.device[i];
			const struct simulated_device *device = machine_find(run->machine, planned->name);

			if (device && device->now.identity == planned->identity)
				planned->group = device->now.group;
		}
		return true;
	}
	run->result.outcome = WIRE_OUTCOME_REFUSED;
	finish(run);
	return false;
}

/* Goes on until the run waits or has ended. */
static void advance(struct run *run)
{
	int error = 0;

	if (!begin(run))
		return;
	if (!run->through)
		run->through = engine_advance(&run->engine, &run->result);
	if (run->through && !struck(run, FAULT_AT_RESULT, "", false, &error))
		run->killed = error < 0;
	else if (!run->killed)
		return;
	if (run->killed)
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
	runs->calls = simulated_calls;
	runs->calls.step_begins = on_step;
	runs->calls.step_ended = on_step_ended;
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
	struct run_files *files = calloc(inbox->plan.count + 1, sizeof(*files));
	int error = run && files
			    ? plan_run_begin(&run->engine, &runs->calls, &inbox->plan, inbox->kind == WIRE_PLAN_RELEASE)
			    : -ENOMEM;

	if (error == -ENOMEM) {
		free(run);
		free(files);
		wire_plan_inbox_done(inbox);
		return error;
	}
	take_order(run, inbox);
	run->engine.plan = &run->plan;
	run->engine.context_passed = run->passed_context >= 0;
	run->files = files;
	run->unsound = error < 0;
	run->runs = runs;
	run->machine = runs->machine;
	run->policy = policy;
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
