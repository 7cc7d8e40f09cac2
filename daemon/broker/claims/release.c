#include "release.h"

#include "stop_holders.h"
#include "release_plan.h"
#include "repeat_plan.h"

#include "../../base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/* A lingering claim is tried again after 1, 2, 4, ... seconds, doubled this often. */
enum { RETRY_DOUBLINGS = 6 };

static void run_release(struct claim_runtime *runtime);

/* Tries a lingering claim's release again. */
static void retry(struct claim_runtime *runtime)
{
	if (runtime->run != RUNTIME_IDLE)
		return; /* it lingers, and is just being unmapped: the next try comes after that */
	unsigned retries = runtime->retries;

	claim_runtime_stop_waiting(runtime);
	runtime->retries = retries;
	claim_runtime_step(runtime, CLAIM_EVENT_HOLDER_GONE);
	run_release(runtime);
}

static int on_holder_gone(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	retry(context);
	return 0;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *context)
{
	retry(context);
	return 0;
}

/* True if the next try may go on to the unbind: it ends once no FD is left, whoever has it, and is tried once. */
static bool may_unbind(const struct claim_runtime *runtime)
{
	return runtime->unbinds && runtime->holder_unknown && !runtime->unbind_refused;
}

/*
 * Waits for the holder's end, where it is known. It may also just close its FD, which the kernel tells nobody: so it is
 * tried again from time to time.
 */
static void linger(struct claim_runtime *runtime)
{
	if (runtime->on_lingering && runtime->on_lingering(runtime))
		return;
	if (stop_holders_start(runtime, retry))
		return;
	if (may_unbind(runtime)) {
		runtime->by_unbind = true;
		retry(runtime);
		return;
	}

	unsigned seconds = 1u << (runtime->retries < RETRY_DOUBLINGS ? runtime->retries : RETRY_DOUBLINGS);

	if (runtime->holder >= 0 && sd_event_add_io(runtime->registry->event, &runtime->holder_source, runtime->holder,
						    EPOLLIN, on_holder_gone, runtime) < 0)
		descriptor_close(&runtime->holder);
	runtime->retries++;
	if (claim_runtime_arm(runtime, seconds * 1000000ULL, on_retry) < 0)
		log_error("claim %s: failed to set a timer: release it by hand", runtime->claim->id);
	claim_runtime_answer_awaiting(runtime);
}

static void on_unmapped(void *context, const struct wire_result *result, struct descriptors *fds)
{
	struct claim_runtime *runtime = context;

	bool late = runtime->overdue;

	runtime->run = RUNTIME_IDLE;
	runtime->overdue = false;
	runtime->unmapped = result->outcome == WIRE_OUTCOME_DONE;
	claim_runtime_tell(runtime,
			   (struct news){ .kind = NEWS_REVOCATION_STEP,
					  .success = runtime->unmapped,
					  .result = result,
					  .message = runtime->unmapped ? "its mappings were removed"
								       : "its mappings could not be removed" });
	if (late) {
		/* What was said of it then is true no more. */
		retry(runtime);
		return;
	}
	if (runtime->unmapped)
		release_plan_note_unmapped(runtime);
	linger(runtime);
}

static void on_unmapping_overdue(void *context)
{
	struct claim_runtime *runtime = context;

	runtime->overdue = true;
	release_plan_append_note(runtime, "; the removal of its mappings passed its deadline");
	claim_runtime_tell(runtime, (struct news){ .kind = NEWS_REVOCATION_STEP,
						   .message = "the removal of its mappings passed its deadline" });
	claim_runtime_answer_awaiting(runtime);
}

static const struct run_events unmap_events = { .done = on_unmapped, .overdue = on_unmapping_overdue };

/* Somebody keeps a claim whose lease is over: at least its devices do no more DMA into what was mapped. */
static void begin_lingering(struct claim_runtime *runtime)
{
	struct plan plan = { 0 };
	int error = -ENOENT;

	if (runtime->context >= 0 && !runtime->unmapped) {
		error = plan_for_unmapping(&plan, runtime->claim->ioas_id);
		if (error == 0)
			error = release_plan_run(runtime, RUNTIME_UNMAPS, &plan, &unmap_events);
		plan_done(&plan);
	}
	/* Our copy stays for the next try, which takes it along: its last close has to be a worker's. */
	if (error < 0)
		linger(runtime);
}

/* The release is not needed again, or often enough: an operator has to look. */
static void quarantine(struct claim_runtime *runtime)
{
	runtime->repeats = 0;
	claim_runtime_step(runtime, CLAIM_EVENT_BROKEN);
	claim_runtime_answer_awaiting(runtime);
}

/* Nobody knows how far the release came. It is run again, or else given up. */
static void repeat_release(struct claim_runtime *runtime, const char *why)
{
	if (runtime->claim->state == CLAIM_STUCK)
		claim_runtime_step(runtime, CLAIM_EVENT_INTERRUPTED);
	log_warning("claim %s: its release did not come to its end: %s", runtime->claim->id, why);
	if (repeat_plan_start(runtime, run_release)) {
		snprintf(runtime->claim->note, TEXT_MAX, "%s; retrying in a moment", why);
		return;
	}
	snprintf(runtime->claim->note, TEXT_MAX, "%s; giving up", why);
	quarantine(runtime);
}

/* The context that went along comes back where a worker did not close it. */
static void take_context_back(struct claim_runtime *runtime, const struct wire_result *result, struct descriptors *fds)
{
	if (result->contexts == 0)
		return;
	descriptor_close(&runtime->context);
	runtime->context = descriptors_take(fds, 0);
}

static void on_release_done(void *context, const struct wire_result *result, struct descriptors *fds)
{
	struct claim_runtime *runtime = context;
	char why[TEXT_MAX];

	runtime->run = RUNTIME_IDLE;
	runtime->overdue = runtime->holder_unknown = false;
	if (result->outcome != WIRE_OUTCOME_INTERRUPTED)
		runtime->repeats = 0;
	/* One that was interrupted says nothing about what the unbind would have shown. */
	if (result->outcome != WIRE_OUTCOME_INTERRUPTED && runtime->by_unbind)
		runtime->unbind_refused = true;
	runtime->by_unbind = false;
	switch ((enum wire_outcome)result->outcome) {
	case WIRE_OUTCOME_DONE:
		runtime->claim->note[0] = '\0';
		claim_runtime_step(runtime, CLAIM_EVENT_DONE);
		if (runtime->claim->state != CLAIM_FREE) {
			/* It was stuck, and much may have happened since: prove it once more. */
			run_release(runtime);
			return;
		}
		claim_runtime_answer_awaiting(runtime);
		claim_runtime_end(runtime);
		return;
	case WIRE_OUTCOME_HELD:
		release_plan_note(runtime, result);
		take_context_back(runtime, result, fds);
		runtime->holder = descriptors_take(fds, result->contexts);
		runtime->holder_pid = result->pid;
		runtime->holder_unknown = result->pid == 0;
		claim_runtime_step(runtime, CLAIM_EVENT_HELD_BY_OTHERS);
		begin_lingering(runtime);
		return;
	case WIRE_OUTCOME_INTERRUPTED:
		take_context_back(runtime, result, fds);
		snprintf(why, sizeof(why), "%s", result->text);
		repeat_release(runtime, why);
		return;
	case WIRE_OUTCOME_REFUSED:
	case WIRE_OUTCOME_UNDONE:
	case WIRE_OUTCOME_BROKEN:
	case WIRE_OUTCOME_NO_RESET:
	case WIRE_OUTCOME_COUNT:
	default:
		release_plan_note(runtime, result);
		quarantine(runtime);
		break;
	}
}

static void get_stuck(struct claim_runtime *runtime, const char *why)
{
	snprintf(runtime->claim->note, TEXT_MAX, "%s", why);
	claim_runtime_step(runtime, CLAIM_EVENT_OVERDUE);
	claim_runtime_answer_awaiting(runtime);
}

void release_note_overdue(struct claim_runtime *runtime)
{
	runtime->overdue = true;
	switch (runtime->run) {
	case RUNTIME_REVOKES:
	case RUNTIME_RELEASES:
		get_stuck(runtime, "the release passed its deadline: the kernel waits, most likely for a process that "
				   "still has an FD");
		break;
	case RUNTIME_CLAIMS:
		get_stuck(runtime, "the claim passed its deadline; it is undone when the kernel returns");
		break;
	case RUNTIME_ADDS:
	case RUNTIME_REMOVES:
		if (runtime->lease_over)
			get_stuck(runtime,
				  "an addition or removal passed its deadline; the release begins when the kernel "
				  "returns");
		break;
	case RUNTIME_IDLE:
	case RUNTIME_UNSTORES:
	case RUNTIME_UNMAPS:
	case RUNTIME_STOPS:
	case RUNTIME_PAUSES:
		break;
	}
}

bool release_is_overdue(const struct claim_runtime *runtime)
{
	return runtime->claim->state == CLAIM_STUCK || (runtime->run == RUNTIME_UNMAPS && runtime->overdue);
}

static void on_release_overdue(void *context)
{
	release_note_overdue(context);
}

static const struct run_events release_events = { .done = on_release_done, .overdue = on_release_overdue };

/* A release that can't even be begun. */
static void fail_release(struct claim_runtime *runtime, int error)
{
	char why[TEXT_MAX];

	/* The next start does what the journal says is left to do. */
	if (runtime->registry->ending)
		return;
	snprintf(why, sizeof(why), "the release could not be started: %s", strerror(-error));
	repeat_release(runtime, why);
}

/* True if no other claim lets this user open nodes: those whose own were closed, or are just being closed, do not. */
static bool is_last_of_user(const struct claim_runtime *runtime)
{
	const struct ledger *ledger = runtime->registry->ledger;

	for (const struct claim *claim = ledger_first(ledger); claim; claim = ledger_next(claim)) {
		const struct claim_runtime *other = claim_runtime_of(claim);

		if (other != runtime && claim->mode == MODE_NODE && claim->uid == runtime->claim->uid &&
		    !other->nodes_closed && other->run != RUNTIME_REVOKES)
			return false;
	}
	return true;
}

const struct claim *release_container_of(const struct registry *registry, uid_t uid)
{
	for (const struct claim *claim = ledger_first(registry->ledger); claim; claim = ledger_next(claim)) {
		const struct claim_runtime *runtime = claim_runtime_of(claim);

		if (claim->uid == uid && runtime->run == RUNTIME_REVOKES && runtime->closes_container)
			return claim;
	}
	return NULL;
}

static void on_revoked(void *context, const struct wire_result *result, struct descriptors *fds)
{
	struct claim_runtime *runtime = context;

	if (result->outcome != WIRE_OUTCOME_DONE) {
		on_release_done(context, result, fds);
		return;
	}
	runtime->run = RUNTIME_IDLE;
	runtime->overdue = false;
	runtime->repeats = 0;
	runtime->nodes_closed = true;
	if (runtime->claim->state == CLAIM_STUCK)
		claim_runtime_step(runtime, CLAIM_EVENT_DONE);
	release_wait_stir(runtime->registry->waits, runtime->claim);
	run_release(runtime);
}

static const struct run_events revoke_events = { .done = on_revoked, .overdue = on_release_overdue };

static void on_unstored(void *context)
{
	struct claim_runtime *runtime = context;

	runtime->run = RUNTIME_IDLE;
	runtime->unstored = true;
	run_release(runtime);
}

static void run_release(struct claim_runtime *runtime)
{
	const struct claim *claim = runtime->claim;
	struct plan plan = { 0 };
	int error;

	/* The last close of a context has to be a worker's, not the service manager's. */
	if (!runtime->unstored) {
		runtime->run = RUNTIME_UNSTORES;
		fdstore_drop(runtime->registry->store, claim->id, on_unstored, runtime, &runtime->unstoring);
		return;
	}
	/* Before anybody is looked for: nobody shall open a node in the middle of it. */
	if (claim->mode == MODE_NODE && !runtime->nodes_closed) {
		runtime->closes_container = is_last_of_user(runtime);
		error = plan_for_revocation(&plan, claim->device, claim->device_count, claim->uid,
					    runtime->closes_container);
		if (error == 0)
			error = release_plan_run(runtime, RUNTIME_REVOKES, &plan, &revoke_events);
	} else {
		const struct giving_back how = { .interface = claim->interface, .by_unbind = runtime->by_unbind };

		error = plan_for_release(&plan, claim->device, claim->device_count, &how);
		if (error == 0)
			error = release_plan_run(runtime, RUNTIME_RELEASES, &plan, &release_events);
		/* The worker has got our copy of the context, so that its slow last close happens there. */
		if (error == 0)
			descriptor_close(&runtime->context);
	}
	plan_done(&plan);
	if (error < 0)
		fail_release(runtime, error);
}

void release_waive_proof(struct claim_runtime *runtime)
{
	runtime->unbinds = true;
	runtime->unbind_refused = false;
	if (runtime->claim->state == CLAIM_LINGERING && runtime->run == RUNTIME_IDLE)
		runtime->by_unbind = may_unbind(runtime);
}

void release_start(struct claim_runtime *runtime)
{
	/* A quarantine is opened before, by whoever may. */
	if (runtime->registry->ending || runtime->claim->state == CLAIM_QUARANTINED)
		return;
	if (runtime->claim->state == CLAIM_LINGERING) {
		retry(runtime);
		return;
	}
	runtime->lease_over = true;
	if (runtime->run == RUNTIME_PAUSES && runtime->claim->state != CLAIM_RELEASING) {
		/* The removal of one device gives way to that of all. */
		repeat_plan_hasten(runtime);
		return;
	}
	if (runtime->run != RUNTIME_IDLE) {
		if (runtime->overdue && runtime->claim->state != CLAIM_STUCK)
			release_note_overdue(runtime);
		return;
	}
	claim_runtime_end_offer(runtime);
	claim_runtime_end_lease(runtime);
	/* A claim that was stuck is through with what hung. */
	claim_runtime_step(runtime, runtime->claim->state == CLAIM_STUCK ? CLAIM_EVENT_DONE : CLAIM_EVENT_LEASE_ENDED);
	run_release(runtime);
}
