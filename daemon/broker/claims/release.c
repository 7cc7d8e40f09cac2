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

static void run_release(struct holding *holding);

/* Tries a lingering claim's release again. */
static void retry(struct holding *holding)
{
	if (holding->run != HOLDING_IDLE)
		return; /* it lingers, and is just being unmapped: the next try comes after that */
	unsigned retries = holding->retries;

	holding_stop_waiting(holding);
	holding->retries = retries;
	holding_step(holding, CLAIM_EVENT_HOLDER_GONE);
	run_release(holding);
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
static bool may_unbind(const struct holding *holding)
{
	return holding->unbinds && holding->holder_unknown && !holding->unbind_refused;
}

/*
 * Waits for the holder's end, where it is known. It may also just close its FD, which the kernel tells nobody: so it is
 * tried again from time to time.
 */
static void linger(struct holding *holding)
{
	if (holding->on_lingering && holding->on_lingering(holding))
		return;
	if (forcing_start(holding, retry))
		return;
	if (may_unbind(holding)) {
		holding->by_unbind = true;
		retry(holding);
		return;
	}

	unsigned seconds = 1u << (holding->retries < RETRY_DOUBLINGS ? holding->retries : RETRY_DOUBLINGS);

	if (holding->holder >= 0 && sd_event_add_io(holding->registry->event, &holding->holder_source, holding->holder,
						    EPOLLIN, on_holder_gone, holding) < 0)
		descriptor_close(&holding->holder);
	holding->retries++;
	if (holding_arm(holding, seconds * 1000000ULL, on_retry) < 0)
		log_error("claim %s: no timer could be set: release it by hand", holding->claim->id);
	holding_answer_awaiting(holding);
}

static void on_unmapped(void *context, const struct wire_result *result, struct descriptors *fds)
{
	struct holding *holding = context;

	bool late = holding->overdue;

	holding->run = HOLDING_IDLE;
	holding->overdue = false;
	holding->unmapped = result->outcome == WIRE_OUTCOME_DONE;
	holding_tell(holding, (struct news){ .kind = NEWS_REVOCATION_STEP, .success = holding->unmapped, .result = result,
					     .message = holding->unmapped ? "its mappings were removed"
									  : "its mappings could not be removed" });
	if (late) {
		/* What was said of it then is true no more. */
		retry(holding);
		return;
	}
	if (holding->unmapped)
		release_plan_note_unmapped(holding);
	linger(holding);
}

static void on_unmapping_overdue(void *context)
{
	struct holding *holding = context;

	holding->overdue = true;
	release_plan_append_note(holding, "; the removal of its mappings passed its deadline");
	holding_tell(holding, (struct news){ .kind = NEWS_REVOCATION_STEP,
					     .message = "the removal of its mappings passed its deadline" });
	holding_answer_awaiting(holding);
}

static const struct run_events unmap_events = { .done = on_unmapped, .overdue = on_unmapping_overdue };

/* Somebody keeps a claim whose lease is over: at least its devices do no more DMA into what was mapped. */
static void begin_lingering(struct holding *holding)
{
	struct plan plan = { 0 };
	int error = -ENOENT;

	if (holding->context >= 0 && !holding->unmapped) {
		error = plan_for_unmapping(&plan, holding->claim->ioas_id);
		if (error == 0)
			error = release_plan_run(holding, HOLDING_UNMAPS, &plan, &unmap_events);
		plan_done(&plan);
	}
	/* Our copy stays for the next try, which takes it along: its last close has to be a worker's. */
	if (error < 0)
		linger(holding);
}

/* The release is not needed again, or often enough: an operator has to look. */
static void quarantine(struct holding *holding)
{
	holding->repeats = 0;
	holding_step(holding, CLAIM_EVENT_BROKEN);
	holding_answer_awaiting(holding);
}

/* Nobody knows how far the release came. It is run again, or else given up. */
static void repeat_release(struct holding *holding, const char *why)
{
	if (holding->claim->state == CLAIM_STUCK)
		holding_step(holding, CLAIM_EVENT_INTERRUPTED);
	log_warning("claim %s: its release did not come to its end: %s", holding->claim->id, why);
	if (repeating_start(holding, run_release)) {
		snprintf(holding->claim->note, TEXT_MAX, "%s; it is tried again in a moment", why);
		return;
	}
	snprintf(holding->claim->note, TEXT_MAX, "%s; it was tried often enough", why);
	quarantine(holding);
}

/* The context that went along comes back where a worker did not close it. */
static void take_context_back(struct holding *holding, const struct wire_result *result, struct descriptors *fds)
{
	if (result->contexts == 0)
		return;
	descriptor_close(&holding->context);
	holding->context = descriptors_take(fds, 0);
}

static void on_release_done(void *context, const struct wire_result *result, struct descriptors *fds)
{
	struct holding *holding = context;
	char why[TEXT_MAX];

	holding->run = HOLDING_IDLE;
	holding->overdue = holding->holder_unknown = false;
	if (result->outcome != WIRE_OUTCOME_INTERRUPTED)
		holding->repeats = 0;
	/* One that was interrupted says nothing about what the unbind would have shown. */
	if (result->outcome != WIRE_OUTCOME_INTERRUPTED && holding->by_unbind)
		holding->unbind_refused = true;
	holding->by_unbind = false;
	switch ((enum wire_outcome)result->outcome) {
	case WIRE_OUTCOME_DONE:
		holding->claim->note[0] = '\0';
		holding_step(holding, CLAIM_EVENT_DONE);
		if (holding->claim->state != CLAIM_FREE) {
			/* It was stuck, and much may have happened since: prove it once more. */
			run_release(holding);
			return;
		}
		holding_answer_awaiting(holding);
		holding_end(holding);
		return;
	case WIRE_OUTCOME_HELD:
		release_plan_note(holding, result);
		take_context_back(holding, result, fds);
		holding->holder = descriptors_take(fds, result->contexts);
		holding->holder_pid = result->pid;
		holding->holder_unknown = result->pid == 0;
		holding_step(holding, CLAIM_EVENT_HELD_BY_OTHERS);
		begin_lingering(holding);
		return;
	case WIRE_OUTCOME_INTERRUPTED:
		take_context_back(holding, result, fds);
		snprintf(why, sizeof(why), "%s", result->text);
		repeat_release(holding, why);
		return;
	case WIRE_OUTCOME_REFUSED:
	case WIRE_OUTCOME_UNDONE:
	case WIRE_OUTCOME_BROKEN:
	case WIRE_OUTCOME_NO_RESET:
	case WIRE_OUTCOME_COUNT:
	default:
		release_plan_note(holding, result);
		quarantine(holding);
		break;
	}
}

static void get_stuck(struct holding *holding, const char *why)
{
	snprintf(holding->claim->note, TEXT_MAX, "%s", why);
	holding_step(holding, CLAIM_EVENT_OVERDUE);
	holding_answer_awaiting(holding);
}

void releasing_note_overdue(struct holding *holding)
{
	holding->overdue = true;
	switch (holding->run) {
	case HOLDING_REVOKES:
	case HOLDING_RELEASES:
		get_stuck(holding, "the release passed its deadline: the kernel waits, most likely for a process that "
				   "still has an FD");
		break;
	case HOLDING_CLAIMS:
		get_stuck(holding, "the claim passed its deadline; it is undone when the kernel lets go");
		break;
	case HOLDING_ADDS:
	case HOLDING_REMOVES:
		if (holding->lease_over)
			get_stuck(holding, "an addition or removal passed its deadline; the release begins when the "
					   "kernel lets go");
		break;
	case HOLDING_IDLE:
	case HOLDING_UNSTORES:
	case HOLDING_UNMAPS:
	case HOLDING_STOPS:
	case HOLDING_PAUSES:
		break;
	}
}

bool releasing_is_overdue(const struct holding *holding)
{
	return holding->claim->state == CLAIM_STUCK || (holding->run == HOLDING_UNMAPS && holding->overdue);
}

static void on_release_overdue(void *context)
{
	releasing_note_overdue(context);
}

static const struct run_events release_events = { .done = on_release_done, .overdue = on_release_overdue };

/* A release that can't even be begun. */
static void fail_release(struct holding *holding, int error)
{
	char why[TEXT_MAX];

	/* The next start does what the journal says is left to do. */
	if (holding->registry->ending)
		return;
	snprintf(why, sizeof(why), "the release could not be started: %s", strerror(-error));
	repeat_release(holding, why);
}

/* True if no other claim lets this user open nodes: those whose own were closed, or are just being closed, do not. */
static bool is_last_of_user(const struct holding *holding)
{
	const struct ledger *ledger = holding->registry->ledger;

	for (const struct claim *claim = ledger_first(ledger); claim; claim = ledger_next(claim)) {
		const struct holding *other = holding_of(claim);

		if (other != holding && claim->mode == MODE_NODE && claim->uid == holding->claim->uid &&
		    !other->nodes_closed && other->run != HOLDING_REVOKES)
			return false;
	}
	return true;
}

const struct claim *releasing_container_of(const struct registry *registry, uid_t uid)
{
	for (const struct claim *claim = ledger_first(registry->ledger); claim; claim = ledger_next(claim)) {
		const struct holding *holding = holding_of(claim);

		if (claim->uid == uid && holding->run == HOLDING_REVOKES && holding->closes_container)
			return claim;
	}
	return NULL;
}

static void on_revoked(void *context, const struct wire_result *result, struct descriptors *fds)
{
	struct holding *holding = context;

	if (result->outcome != WIRE_OUTCOME_DONE) {
		on_release_done(context, result, fds);
		return;
	}
	holding->run = HOLDING_IDLE;
	holding->overdue = false;
	holding->repeats = 0;
	holding->nodes_closed = true;
	if (holding->claim->state == CLAIM_STUCK)
		holding_step(holding, CLAIM_EVENT_DONE);
	waiting_stir(holding->registry->waiting, holding->claim);
	run_release(holding);
}

static const struct run_events revoke_events = { .done = on_revoked, .overdue = on_release_overdue };

static void on_unstored(void *context)
{
	struct holding *holding = context;

	holding->run = HOLDING_IDLE;
	holding->unstored = true;
	run_release(holding);
}

static void run_release(struct holding *holding)
{
	const struct claim *claim = holding->claim;
	struct plan plan = { 0 };
	int error;

	/* The last close of a context has to be a worker's, not the service manager's. */
	if (!holding->unstored) {
		holding->run = HOLDING_UNSTORES;
		store_drop(holding->registry->store, claim->id, on_unstored, holding, &holding->unstoring);
		return;
	}
	/* Before anybody is looked for: nobody shall open a node in the middle of it. */
	if (claim->mode == MODE_NODE && !holding->nodes_closed) {
		holding->closes_container = is_last_of_user(holding);
		error = plan_for_revocation(&plan, claim->device, claim->device_count, claim->uid,
					    holding->closes_container);
		if (error == 0)
			error = release_plan_run(holding, HOLDING_REVOKES, &plan, &revoke_events);
	} else {
		const struct giving_back how = { .interface = claim->interface, .by_unbind = holding->by_unbind };

		error = plan_for_release(&plan, claim->device, claim->device_count, &how);
		if (error == 0)
			error = release_plan_run(holding, HOLDING_RELEASES, &plan, &release_events);
		/* The worker has got our copy of the context, so that its slow last close happens there. */
		if (error == 0)
			descriptor_close(&holding->context);
	}
	plan_done(&plan);
	if (error < 0)
		fail_release(holding, error);
}

void releasing_waive_proof(struct holding *holding)
{
	holding->unbinds = true;
	holding->unbind_refused = false;
	if (holding->claim->state == CLAIM_LINGERING && holding->run == HOLDING_IDLE)
		holding->by_unbind = may_unbind(holding);
}

void releasing_start(struct holding *holding)
{
	/* A quarantine is opened before, by whoever may. */
	if (holding->registry->ending || holding->claim->state == CLAIM_QUARANTINED)
		return;
	if (holding->claim->state == CLAIM_LINGERING) {
		retry(holding);
		return;
	}
	holding->lease_over = true;
	if (holding->run == HOLDING_PAUSES && holding->claim->state != CLAIM_RELEASING) {
		/* The removal of one device gives way to that of all. */
		repeating_hasten(holding);
		return;
	}
	if (holding->run != HOLDING_IDLE) {
		if (holding->overdue && holding->claim->state != CLAIM_STUCK)
			releasing_note_overdue(holding);
		return;
	}
	holding_end_offer(holding);
	holding_end_lease(holding);
	/* A claim that was stuck is through with what hung. */
	holding_step(holding, holding->claim->state == CLAIM_STUCK ? CLAIM_EVENT_DONE : CLAIM_EVENT_LEASE_ENDED);
	run_release(holding);
}
