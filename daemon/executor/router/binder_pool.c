#include "binder_pool.h"

#include "../../base/log.h"

#include <errno.h>
#include <string.h>

/* Plans that may wait for a binder: the broker has claims in hand, not a backlog. */
enum { WAITING_MAX = 1024 };

static void dispatch(struct binding *binding);

static void answer(struct binding *binding, uint64_t id, enum wire_outcome outcome, const char *text)
{
	union wire_message message;

	job_answer(&message, id, outcome, text);
	crew_answer_plan(binding->crew, &message, NULL);
}

/* Answers a plan that no binder has got. */
static void turn_away(struct binding *binding, struct job *job, const char *text)
{
	struct descriptors fds = { .count = 0 };
	union wire_message message;

	job_answer_untouched(&message, job, text, &fds);
	crew_answer_plan(binding->crew, &message, &fds);
	job_free(job);
}

/* Starts a binder, if there is place for one. 0 or -errno. */
static int add_binder(struct binding *binding)
{
	int slot = binders_find_place(&binding->binders), error;

	if (slot < 0)
		return -EAGAIN;
	error = crew_start(binding->crew, &binding->worker[slot], WORKER_BINDER);
	if (error == 0)
		binders_started(&binding->binders, slot);
	return error;
}

/* A binder is gone in the middle of whatever it did. */
static void lose(struct binding *binding, int slot)
{
	const struct binder_slot before = binding->binders.slot[slot];
	struct job *job = binding->job[slot];

	crew_lost(binding->crew, &binding->worker[slot], WORKER_BINDER);
	binders_lost(&binding->binders, slot);
	binding->job[slot] = NULL;
	/* What it let a user open, it may have done already: the release that comes takes it back. */
	plan_done(&binding->granting[slot]);
	deed_set_done(&binding->doing[slot]);
	if (job && !job->begun) {
		/* It was gone before it got anything: another takes the plan. */
		job_queue_put(&binding->waiting, job);
	} else {
		job_free(job);
		if (before.state == BINDER_BUSY || before.state == BINDER_STUCK)
			answer(binding, before.plan, WIRE_OUTCOME_INTERRUPTED,
			       "the worker ended in the middle of the plan: nobody knows how far it came");
	}
	dispatch(binding);
}

/* Sends the binder as much of its plan as the socket takes. False: the binder is gone. */
static bool feed(struct binding *binding, int slot)
{
	struct job *job = binding->job[slot];

	while (job && (!job->begun || job->sent < job->plan.plan.count)) {
		struct wire_plan_inbox *plan = &job->plan;
		union wire_message message;
		int fds[2], error;
		size_t fd_count = job->begun ? 0 : wire_enclosure_fds(&plan->enclosure, fds);
		size_t count = wire_plan_chunk(&message, plan->id, (enum wire_plan_kind)plan->kind, plan->policy_digest,
					       &plan->plan, job->sent, &plan->enclosure);

		error = wire_send(binding->worker[slot].socket, &message, fds, fd_count);
		if (error == -EAGAIN)
			return true;
		if (error < 0)
			return false;
		/* The binder has to be the last to have the context: the last close takes long. */
		descriptor_close(&plan->enclosure.context);
		descriptor_close(&plan->enclosure.peer_fd);
		job->begun = true;
		job->sent += count;
	}
	binding->job[slot] = job_free(job);
	return true;
}

/* Keeps what the plan is to let a user open: it counts once the binder has done it. */
static void note_grants(struct binding *binding, int slot, const struct plan *plan)
{
	plan_done(&binding->granting[slot]);
	grants_withdraw(&binding->grants, plan);
	for (size_t i = 0; i < plan->count; i++)
		if (plan->step[i].kind == STEP_GRANT && plan_add(&binding->granting[slot], &plan->step[i]) < 0)
			log_error("out of memory: the nodes of a claim will not hold against udev");
}

static void assign(struct binding *binding, int slot, struct job *job)
{
	note_grants(binding, slot, &job->plan.plan);
	deed_set_begin(&binding->doing[slot], job->plan.kind, &job->plan.plan, &job->plan.enclosure.owner);
	binders_assign(&binding->binders, slot, job->plan.id);
	binding->job[slot] = job;
	if (!feed(binding, slot))
		lose(binding, slot);
}

/* Gives waiting plans to idle binders, and sees to it that one is idle. */
static void dispatch(struct binding *binding)
{
	while (binding->waiting.first && !binding->crew->hopeless) {
		int slot = binders_find_idle(&binding->binders);
		struct job *job;

		if (slot < 0 && add_binder(binding) == 0)
			slot = binders_find_idle(&binding->binders);
		if (slot < 0 && binders_are_busy(&binding->binders))
			return; /* one of those will take it */
		job = job_queue_take(&binding->waiting);
		if (slot >= 0) {
			assign(binding, slot, job);
			continue;
		}
		turn_away(binding, job, "the executor has no worker for it, and can't start one");
	}
	if (binders_want_spare(&binding->binders) && !binding->crew->hopeless)
		add_binder(binding);
}

int binding_start(struct binding *binding, struct crew *crew, const struct host *host)
{
	int error = 0;

	*binding = (struct binding){ .crew = crew, .grants = { .host = host } };
	for (size_t i = 0; i < BINDERS_SLOTS; i++)
		binding->worker[i].socket = -1;
	while (error == 0 && binders_want_spare(&binding->binders))
		error = add_binder(binding);
	return error;
}

void binding_run(struct binding *binding, struct job *job)
{
	if (binding->waiting.count >= WAITING_MAX) {
		turn_away(binding, job, "too many plans wait for a worker already");
		return;
	}
	job_queue_put(&binding->waiting, job);
	dispatch(binding);
}

void binding_overdue(struct binding *binding, uint64_t plan)
{
	int slot = binders_find_plan(&binding->binders, plan);

	/* One that waits for a binder still goes on waiting: it was not touched, and its turn comes. */
	if (slot < 0)
		return;
	log_warning("a plan passed its deadline: the binder [%d] is stuck in the kernel", binding->worker[slot].pid);
	binders_overdue(&binding->binders, slot);
	dispatch(binding);
}

void binding_renew(struct binding *binding)
{
	binders_renew(&binding->binders);
	for (int i = 0; i < BINDERS_SLOTS; i++) {
		if (!binders_is_outdated(&binding->binders, i))
			continue;
		worker_end(&binding->worker[i]);
		binders_lost(&binding->binders, i);
	}
	dispatch(binding);
}

/* The result of the plan that a binder has. False: it is none of that. */
static bool finish(struct binding *binding, int slot, union wire_message *message, struct descriptors *fds)
{
	const struct binder_slot *state = &binding->binders.slot[slot];

	if ((state->state != BINDER_BUSY && state->state != BINDER_STUCK) || message->header.id != state->plan ||
	    binding->job[slot])
		return false;
	crew_worked(binding->crew);
	if (message->result.outcome == WIRE_OUTCOME_DONE)
		grants_take_up(&binding->grants, &binding->granting[slot]);
	else
		grants_give_up(&binding->grants, &binding->granting[slot]);
	plan_done(&binding->granting[slot]);
	if (message->result.outcome == WIRE_OUTCOME_DONE)
		deeds_note(&binding->deeds, &binding->doing[slot]);
	deed_set_done(&binding->doing[slot]);
	crew_answer_plan(binding->crew, message, fds);
	if (!binders_finished(&binding->binders, slot))
		worker_end(&binding->worker[slot]);
	dispatch(binding);
	return true;
}

void binding_readable(struct binding *binding, int slot)
{
	while (binding->worker[slot].socket >= 0 && outbox_is_empty(&binding->crew->outbox)) {
		autoclose_list struct descriptors fds = { .count = 0 };
		union wire_message message;
		int got = wire_receive(binding->worker[slot].socket, &message, &fds);

		if (got == -EAGAIN)
			return;
		if (got > 0 && message.header.type == WIRE_TOPOLOGY_DONE && !binding->worker[slot].ready) {
			binding->worker[slot].ready = true;
			continue;
		}
		if (got > 0 && message.header.type == WIRE_DEVICE && message.header.id == 0) {
			outbox_send(&binding->crew->outbox, &message, NULL);
			continue;
		}
		if (got <= 0 || message.header.type != WIRE_RESULT || !finish(binding, slot, &message, &fds)) {
			lose(binding, slot);
			return;
		}
	}
}

void binding_writable(struct binding *binding, int slot)
{
	if (!feed(binding, slot))
		lose(binding, slot);
}

bool binding_wants_to_write(const struct binding *binding, int slot)
{
	return binding->job[slot] != NULL;
}

bool binding_is_warm(const struct binding *binding)
{
	for (size_t i = 0; i < BINDERS_SLOTS; i++)
		if (binding->worker[i].socket >= 0 && !binding->worker[i].ready)
			return false;
	return true;
}

bool binding_is_busy(const struct binding *binding)
{
	return binders_are_busy(&binding->binders);
}

void binding_cancel(struct binding *binding)
{
	struct job *job;

	while ((job = job_queue_take(&binding->waiting)))
		job_free(job);
}

void binding_end(struct binding *binding)
{
	binding_cancel(binding);
	for (size_t i = 0; i < BINDERS_SLOTS; i++) {
		worker_end(&binding->worker[i]);
		binding->job[i] = job_free(binding->job[i]);
		plan_done(&binding->granting[i]);
		deed_set_done(&binding->doing[i]);
	}
	grants_done(&binding->grants);
	deeds_done(&binding->deeds);
}
