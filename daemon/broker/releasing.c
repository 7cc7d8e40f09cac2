#include "releasing.h"

#include "forcing.h"
#include "repeating.h"

#include "../base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/* A lingering claim is tried again after 1, 2, 4, ... seconds, doubled this often. */
enum { RETRY_DOUBLINGS = 6 };

static void run_release(struct holding *holding);

/* Has the executor run a plan of a release. The context goes along as a copy, if the claim has one. 0 or -errno. */
static int run_plan(struct holding *holding, enum holding_run run, const struct plan *plan,
		    const struct run_events *events)
{
	struct registry *registry = holding->registry;
	struct run_order order = {
		.kind = WIRE_PLAN_RELEASE,
		.plan = plan,
		.policy_digest = registry->policy->digest,
		.enclosure = { .context = holding->context, .peer_fd = -1 },
	};
	int error;

	holding->run = run;
	error = host_run(registry->host, &order, events, holding);
	if (error < 0)
		holding->run = HOLDING_IDLE;
	return error;
}

static void append_to_note(struct holding *holding, const char *more)
{
	char *text = holding->claim->note;

	snprintf(text + strlen(text), TEXT_MAX - strlen(text), "%s", more);
}

static void note_unmapped(struct holding *holding)
{
	append_to_note(holding, "; its mappings were removed");
}

static void note(struct holding *holding, const struct wire_result *result)
{
	char *text = holding->claim->note;

	if (result->outcome == WIRE_OUTCOME_HELD && result->pid > 0)
		snprintf(text, TEXT_MAX, "%s is still held by %s[%d]", result->device, result->holder, result->pid);
	else if (result->outcome == WIRE_OUTCOME_HELD)
		snprintf(text, TEXT_MAX, "%s is still held by a process that could not be found", result->device);
	else if (result->text[0])
		snprintf(text, TEXT_MAX, "%s", result->text);
	else
		snprintf(text, TEXT_MAX, "%s: step %u failed: %s", result->device, result->step + 1,
			 strerror(result->error));
	if (result->outcome == WIRE_OUTCOME_HELD && holding->unmapped)
		note_unmapped(holding);
}

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
		note_unmapped(holding);
	linger(holding);
}

static void on_unmapping_overdue(void *context)
{
	struct holding *holding = context;

	holding->overdue = true;
	append_to_note(holding, "; the removal of its mappings passed its deadline");
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
			error = run_plan(holding, HOLDING_UNMAPS, &plan, &unmap_events);
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
	holding->overdue = false;
	if (result->outcome != WIRE_OUTCOME_INTERRUPTED)
		holding->repeats = 0;
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
		note(holding, result);
		take_context_back(holding, result, fds);
		holding->holder = descriptors_take(fds, result->contexts);
		holding->holder_pid = result->pid;
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
		note(holding, result);
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
			error = run_plan(holding, HOLDING_REVOKES, &plan, &revoke_events);
	} else {
		const struct giving_back how = { .interface = claim->interface };

		error = plan_for_release(&plan, claim->device, claim->device_count, &how);
		if (error == 0)
			error = run_plan(holding, HOLDING_RELEASES, &plan, &release_events);
		/* The worker has got our copy of the context, so that its slow last close happens there. */
		if (error == 0)
			descriptor_close(&holding->context);
	}
	plan_done(&plan);
	if (error < 0)
		fail_release(holding, error);
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
		note(holding, result);
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

int releasing_remove(struct holding *holding, const char *device)
{
	struct claim *claim = holding->claim;
	const struct claim_device *entry = claim_find_device(claim, device);
	int32_t group = entry->before.group;
	struct giving_back how = { .interface = claim->interface,
				   .pin = holding_others_in_group(holding, group, device) > 0 };
	struct claim_device *given = calloc(claim->device_count, sizeof(*given));
	struct plan plan = { 0 };
	size_t count = 0;
	int error = given ? 0 : -ENOMEM;

	for (size_t i = 0; i < claim->device_count && error == 0; i++) {
		const struct claim_device *other = &claim->device[i];

		if (strcmp(other->before.name, device) == 0 || (!how.pin && other->before.group == group))
			given[count++] = *other;
	}
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
	if (error == 0) {
		error = run_plan(holding, HOLDING_REMOVES, &plan, &removal_events);
	}
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
		error = releasing_remove(holding, device);
	if (error == 0)
		return;
	memcpy(result.device, device, sizeof(device));
	snprintf(result.text, sizeof(result.text), "%s",
		 holding->lease_over ? "the claim was released meanwhile" : "the removal could not be started");
	on_removal_done(holding, &result, &(struct descriptors){ .count = 0 });
}

void releasing_resume_removal(struct holding *holding)
{
	const struct claim_device *entry = claim_find_device(holding->claim, holding->claim->changing);

	if (!entry || entry->lockout)
		return;
	memcpy(holding->device, holding->claim->changing, sizeof(holding->device));
	holding->persists = holding->claim->adding;
	log_notice("claim %s: %s is being taken back", holding->claim->id, holding->device);
	remove_again(holding);
}

bool releasing_hasten_removal(struct holding *holding, const char *device, struct requester *requester)
{
	if (holding->run != HOLDING_PAUSES || !holding->persists || holding->asker || strcmp(holding->device, device) != 0)
		return false;
	holding->asker = requester;
	requester->asking = holding;
	repeating_hasten(holding);
	return true;
}
