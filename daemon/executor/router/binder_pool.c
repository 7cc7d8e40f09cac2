#include "binder_pool.h"

#include "../../base/log.h"

#include <errno.h>
#include <string.h>

/* Plans that may wait for a binder: the broker has claims in hand, not a backlog. */
enum { WAITING_MAX = 1024 };

static void dispatch(struct binder_pool *pool);

static void answer(struct binder_pool *pool, uint64_t id, enum wire_outcome outcome, const char *text)
{
	union wire_message message;

	plan_job_answer(&message, id, outcome, text);
	supervisor_answer_plan(pool->supervisor, &message, NULL);
}

/* Answers a plan that no binder has got. */
static void turn_away(struct binder_pool *pool, struct plan_job *job, const char *text)
{
	struct descriptors fds = { .count = 0 };
	union wire_message message;

	plan_job_answer_untouched(&message, job, text, &fds);
	supervisor_answer_plan(pool->supervisor, &message, &fds);
	plan_job_free(job);
}

/* Starts a binder, if there is place for one. 0 or -errno. */
static int add_binder(struct binder_pool *pool)
{
	int slot = binder_slots_find_place(&pool->slots), error;

	if (slot < 0)
		return -EAGAIN;
	error = supervisor_start(pool->supervisor, &pool->worker[slot], WORKER_BINDER);
	if (error == 0)
		binder_slots_started(&pool->slots, slot);
	return error;
}

/* True while the binder does a step outside of any plan. */
static bool is_at_nodes(const struct binder_pool *pool, int slot)
{
	return pool->node_step[slot].kind != STEP_KIND_COUNT;
}

static void end_node_step(struct binder_pool *pool, int slot)
{
	pool->node_step[slot] = (struct step){ .kind = STEP_KIND_COUNT };
}

/* A binder is gone in the middle of whatever it did. */
static void lose(struct binder_pool *pool, int slot)
{
	const struct binder_slot before = pool->slots.slot[slot];
	struct plan_job *job = pool->job[slot];

	supervisor_lost(pool->supervisor, &pool->worker[slot], WORKER_BINDER);
	binder_slots_lost(&pool->slots, slot);
	pool->job[slot] = NULL;
	if (is_at_nodes(pool, slot)) {
		/* Another does what it was at, if that is wanted still. */
		node_grants_add_task(&pool->grants, &pool->node_step[slot]);
		end_node_step(pool, slot);
		dispatch(pool);
		return;
	}
	/* What it let a user open, it may have done already: the release that comes takes it back. */
	plan_done(&pool->granting[slot]);
	deed_set_done(&pool->doing[slot]);
	if (job && !job->begun) {
		/* It was gone before it got anything: another takes the plan. */
		plan_job_queue_put(&pool->waiting, job);
	} else {
		plan_job_free(job);
		if (before.state == BINDER_BUSY || before.state == BINDER_STUCK)
			answer(pool, before.plan, WIRE_OUTCOME_INTERRUPTED,
			       "the worker ended in the middle of the plan: its progress is unknown");
	}
	dispatch(pool);
}

/* Sends the binder as much of its plan as the socket takes. False: the binder is gone. */
static bool feed(struct binder_pool *pool, int slot)
{
	struct plan_job *job = pool->job[slot];

	while (job && (!job->begun || job->sent < job->plan.plan.count)) {
		struct wire_plan_inbox *plan = &job->plan;
		union wire_message message;
		int fds[2], error;
		size_t fd_count = job->begun ? 0 : wire_enclosure_fds(&plan->enclosure, fds);
		size_t count = wire_plan_chunk(&message, plan->id, (enum wire_plan_kind)plan->kind, plan->policy_digest,
					       &plan->plan, job->sent, &plan->enclosure);

		error = wire_send(pool->worker[slot].socket, &message, fds, fd_count);
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
	pool->job[slot] = plan_job_free(job);
	return true;
}

/* Keeps what the plan is to let a user open: it counts once the binder has done it. */
static void note_grants(struct binder_pool *pool, int slot, const struct plan *plan)
{
	plan_done(&pool->granting[slot]);
	pool->nodes_changed_before[slot] = pool->nodes_changed;
	node_grants_withdraw(&pool->grants, plan);
	for (size_t i = 0; i < plan->count; i++)
		if (plan->step[i].kind == STEP_GRANT && plan_add(&pool->granting[slot], &plan->step[i]) < 0)
			log_error("out of memory: the ACLs of a claim's nodes will not survive udev events");
}

static void assign(struct binder_pool *pool, int slot, struct plan_job *job)
{
	note_grants(pool, slot, &job->plan.plan);
	deed_set_begin(&pool->doing[slot], job->plan.kind, &job->plan.plan, &job->plan.enclosure.owner);
	binder_slots_assign(&pool->slots, slot, job->plan.id);
	pool->job[slot] = job;
	if (!feed(pool, slot))
		lose(pool, slot);
}

/* The slot of an idle binder, which is started if need be; -1: there is none, and place for no other. */
static int find_idle(struct binder_pool *pool)
{
	int slot = binder_slots_find_idle(&pool->slots);

	if (slot < 0 && add_binder(pool) == 0)
		slot = binder_slots_find_idle(&pool->slots);
	return slot;
}

/* False where a plan would run beside a step on the same rights: which of the two came last, nobody could say. */
static bool may_run(void *context, const struct plan_job *job)
{
	const struct binder_pool *pool = context;

	for (int i = 0; i < BINDER_SLOTS; i++)
		if (is_at_nodes(pool, i) && node_grants_meet(&pool->node_step[i], &job->plan.plan))
			return false;
	return true;
}

/* True if a plan runs that grants what the step takes away: what its end means decides anew. */
static bool is_outdated(const struct binder_pool *pool, const struct step *step)
{
	for (int i = 0; i < BINDER_SLOTS; i++)
		if (step->kind == STEP_REVOKE && node_grants_meet(step, &pool->granting[i]))
			return true;
	return false;
}

/* Gives idle binders what has to be done to nodes. */
static void dispatch_node_steps(struct binder_pool *pool)
{
	while (pool->grants.tasks && !pool->supervisor->hopeless) {
		int slot = find_idle(pool);
		union wire_message message;
		struct step step;

		if (slot < 0 || !node_grants_next(&pool->grants, &step))
			return;
		if (is_outdated(pool, &step))
			continue;
		message.node_step.step = step;
		wire_stamp(&message, WIRE_NODE_STEP, 0);
		binder_slots_assign(&pool->slots, slot, 0);
		pool->node_step[slot] = step;
		/* An idle binder's socket is empty. */
		if (wire_send(pool->worker[slot].socket, &message, NULL, 0) < 0) {
			lose(pool, slot);
			return;
		}
	}
}

/* Gives waiting plans to idle binders, and sees to it that one is idle. */
static void dispatch(struct binder_pool *pool)
{
	dispatch_node_steps(pool);
	while (pool->waiting.first && !pool->supervisor->hopeless) {
		int slot = find_idle(pool);
		struct plan_job *job;

		if (slot < 0 && binder_slots_are_busy(&pool->slots))
			return; /* one of those will take it */
		job = plan_job_queue_take_any(&pool->waiting, may_run, pool);
		if (!job)
			break; /* the end of what it waits for comes back here */
		if (slot >= 0) {
			assign(pool, slot, job);
			continue;
		}
		turn_away(pool, job, "the executor has no free worker, and cannot start one");
	}
	if (binder_slots_want_spare(&pool->slots) && !pool->supervisor->hopeless)
		add_binder(pool);
}

int binder_pool_start(struct binder_pool *pool, struct supervisor *supervisor, const struct host *host)
{
	int error = 0;

	*pool = (struct binder_pool){ .supervisor = supervisor, .grants = { .host = host } };
	for (int i = 0; i < BINDER_SLOTS; i++) {
		pool->worker[i].socket = -1;
		end_node_step(pool, i);
	}
	while (error == 0 && binder_slots_want_spare(&pool->slots))
		error = add_binder(pool);
	return error;
}

void binder_pool_run(struct binder_pool *pool, struct plan_job *job)
{
	if (pool->waiting.count >= WAITING_MAX) {
		turn_away(pool, job, "too many plans already wait for a worker");
		return;
	}
	plan_job_queue_put(&pool->waiting, job);
	dispatch(pool);
}

void binder_pool_overdue(struct binder_pool *pool, uint64_t plan)
{
	int slot = binder_slots_find_plan(&pool->slots, plan);

	/* One that waits for a binder still goes on waiting: it was not touched, and its turn comes. */
	if (slot < 0)
		return;
	log_warning("a plan passed its deadline: the binder [%d] is stuck in the kernel", pool->worker[slot].pid);
	binder_slots_overdue(&pool->slots, slot);
	dispatch(pool);
}

void binder_pool_renew(struct binder_pool *pool)
{
	binder_slots_renew(&pool->slots);
	for (int i = 0; i < BINDER_SLOTS; i++) {
		if (!binder_slots_is_outdated(&pool->slots, i))
			continue;
		worker_end(&pool->worker[i]);
		binder_slots_lost(&pool->slots, i);
	}
	dispatch(pool);
}

void binder_pool_nodes_changed(struct binder_pool *pool, const char *node)
{
	pool->nodes_changed++;
	node_grants_renew(&pool->grants, node);
	dispatch(pool);
}

static void finish_plan(struct binder_pool *pool, int slot, union wire_message *message, struct descriptors *fds)
{
	struct plan granted = pool->granting[slot];

	pool->granting[slot] = (struct plan){ .count = 0 };
	if (message->result.outcome == WIRE_OUTCOME_DONE) {
		node_grants_take_up(&pool->grants, &granted, pool->nodes_changed != pool->nodes_changed_before[slot]);
		done_plans_note(&pool->done_plans, &pool->doing[slot]);
	} else {
		node_grants_give_up(&pool->grants, &granted);
	}
	plan_done(&granted);
	deed_set_done(&pool->doing[slot]);
	supervisor_answer_plan(pool->supervisor, message, fds);
}

/* The result of what a binder has. False: it is none of that. */
static bool finish(struct binder_pool *pool, int slot, union wire_message *message, struct descriptors *fds)
{
	const struct binder_slot *state = &pool->slots.slot[slot];

	if ((state->state != BINDER_BUSY && state->state != BINDER_STUCK) || message->header.id != state->plan ||
	    pool->job[slot])
		return false;
	supervisor_worked(pool->supervisor);
	if (is_at_nodes(pool, slot))
		end_node_step(pool, slot);
	else
		finish_plan(pool, slot, message, fds);
	if (!binder_slots_finished(&pool->slots, slot))
		worker_end(&pool->worker[slot]);
	dispatch(pool);
	return true;
}

void binder_pool_readable(struct binder_pool *pool, int slot)
{
	while (pool->worker[slot].socket >= 0 && outbox_is_empty(&pool->supervisor->outbox)) {
		autoclose_list struct descriptors fds = { .count = 0 };
		union wire_message message;
		int got = wire_receive(pool->worker[slot].socket, &message, &fds);

		if (got == -EAGAIN)
			return;
		if (got > 0 && message.header.type == WIRE_TOPOLOGY_DONE && !pool->worker[slot].ready) {
			pool->worker[slot].ready = true;
			continue;
		}
		if (got > 0 && message.header.type == WIRE_DEVICE && message.header.id == 0) {
			outbox_send(&pool->supervisor->outbox, &message, NULL);
			continue;
		}
		if (got <= 0 || message.header.type != WIRE_RESULT || !finish(pool, slot, &message, &fds)) {
			lose(pool, slot);
			return;
		}
	}
}

void binder_pool_writable(struct binder_pool *pool, int slot)
{
	if (!feed(pool, slot))
		lose(pool, slot);
}

bool binder_pool_wants_to_write(const struct binder_pool *pool, int slot)
{
	return pool->job[slot] != NULL;
}

bool binder_pool_is_warm(const struct binder_pool *pool)
{
	for (size_t i = 0; i < BINDER_SLOTS; i++)
		if (pool->worker[i].socket >= 0 && !pool->worker[i].ready)
			return false;
	return true;
}

bool binder_pool_is_busy(const struct binder_pool *pool)
{
	return binder_slots_are_busy(&pool->slots);
}

void binder_pool_cancel(struct binder_pool *pool)
{
	struct plan_job *job;

	while ((job = plan_job_queue_take(&pool->waiting)))
		plan_job_free(job);
}

void binder_pool_end(struct binder_pool *pool)
{
	binder_pool_cancel(pool);
	for (size_t i = 0; i < BINDER_SLOTS; i++) {
		worker_end(&pool->worker[i]);
		pool->job[i] = plan_job_free(pool->job[i]);
		plan_done(&pool->granting[i]);
		deed_set_done(&pool->doing[i]);
	}
	node_grants_done(&pool->grants);
	done_plans_done(&pool->done_plans);
}
