#include "releasing.h"

#include "../base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/* A lingering claim is tried again after 1, 2, 4, ... seconds, doubled this often. */
enum { RETRY_DOUBLINGS = 6 };

static void run_release(struct holding *holding);

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
}

/* Tries a lingering claim's release again. */
static void retry(struct holding *holding)
{
	holding->holder_source = sd_event_source_disable_unref(holding->holder_source);
	descriptor_close(&holding->holder);
	holding_arm(holding, 0, NULL);
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
static void linger(struct holding *holding, struct descriptors *fds)
{
	unsigned seconds = 1u << (holding->retries < RETRY_DOUBLINGS ? holding->retries : RETRY_DOUBLINGS);

	holding->holder = descriptors_take(fds, 0);
	if (holding->holder >= 0 && sd_event_add_io(holding->registry->event, &holding->holder_source, holding->holder,
						    EPOLLIN, on_holder_gone, holding) < 0)
		descriptor_close(&holding->holder);
	holding->retries++;
	if (holding_arm(holding, seconds * 1000000ULL, on_retry) < 0)
		log_error("claim %s: no timer could be set: release it by hand", holding->claim->id);
}

static void on_release_done(void *context, const struct wire_result *result, struct descriptors *fds)
{
	struct holding *holding = context;

	holding->run = HOLDING_IDLE;
	holding->overdue = false;
	switch ((enum wire_outcome)result->outcome) {
	case WIRE_OUTCOME_DONE:
		holding->claim->note[0] = '\0';
		holding_step(holding, CLAIM_EVENT_DONE);
		if (holding->claim->state != CLAIM_FREE) {
			/* It was stuck, and much may have happened since: prove it once more. */
			run_release(holding);
			return;
		}
		log_notice("claim %s: free, everything is put back", holding->claim->id);
		holding_answer_awaiting(holding);
		holding_end(holding);
		return;
	case WIRE_OUTCOME_HELD:
		note(holding, result);
		holding_step(holding, CLAIM_EVENT_HELD_BY_OTHERS);
		linger(holding, fds);
		break;
	case WIRE_OUTCOME_REFUSED:
	case WIRE_OUTCOME_UNDONE:
	case WIRE_OUTCOME_BROKEN:
	case WIRE_OUTCOME_NO_RESET:
	case WIRE_OUTCOME_COUNT:
	default:
		note(holding, result);
		holding_step(holding, CLAIM_EVENT_BROKEN);
		break;
	}
	log_warning("claim %s: %s: %s", holding->claim->id, claim_state_to_string(holding->claim->state),
		    holding->claim->note);
	holding_answer_awaiting(holding);
}

static void on_release_overdue(void *context)
{
	struct holding *holding = context;

	holding->overdue = true;
	snprintf(holding->claim->note, TEXT_MAX,
		 "the release passed its deadline: the kernel waits, most likely for a process that still has an FD");
	holding_step(holding, CLAIM_EVENT_OVERDUE);
	log_warning("claim %s: stuck: %s", holding->claim->id, holding->claim->note);
	holding_answer_awaiting(holding);
}

static const struct run_events release_events = { .done = on_release_done, .overdue = on_release_overdue };

static void run_release(struct holding *holding)
{
	struct registry *registry = holding->registry;
	struct plan plan = { 0 };
	int error = plan_for_release(&plan, holding->claim->device, holding->claim->device_count, false);

	if (error == 0) {
		/* The worker gets our copy of the context, so that its slow last close happens there. */
		struct run_order order = {
			.kind = WIRE_PLAN_RELEASE,
			.plan = &plan,
			.policy_digest = registry->policy->digest,
			.context = holding->context,
			.peer_fd = -1,
		};

		holding->run = HOLDING_RELEASES;
		error = host_run(registry->host, &order, &release_events, holding);
		descriptor_close(&holding->context);
	}
	plan_done(&plan);
	if (error < 0) {
		holding->run = HOLDING_IDLE;
		snprintf(holding->claim->note, TEXT_MAX, "the release could not be started: %s", strerror(-error));
		/* Without an executor this program ends, and the next start does what the journal says is left to do. */
		if (error != -EPIPE)
			holding_step(holding, CLAIM_EVENT_BROKEN);
		holding_answer_awaiting(holding);
	}
}

void releasing_start(struct holding *holding)
{
	if (holding->claim->state == CLAIM_LINGERING) {
		retry(holding);
		return;
	}
	holding->lease_over = true;
	if (holding->run != HOLDING_IDLE)
		return;
	holding_arm(holding, 0, NULL);
	if (holding->offered_to) {
		holding->offered_to->unacknowledged = NULL;
		holding->offered_to = NULL;
	}
	holding->lease_source = sd_event_source_disable_unref(holding->lease_source);
	descriptor_close(&holding->lease);
	holding_step(holding, CLAIM_EVENT_LEASE_ENDED);
	run_release(holding);
}

static int on_lease(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct holding *holding = context;

	if (!(revents & (EPOLLHUP | EPOLLERR)))
		return 0;
	holding->lease_source = sd_event_source_disable_unref(holding->lease_source);
	log_notice("claim %s: its lease ended", holding->claim->id);
	releasing_start(holding);
	return 0;
}

int releasing_watch_lease(struct holding *holding, int lease)
{
	/* No events asked for: the hang-up is told always, and what a client writes into its lease is nobody's. */
	int error = sd_event_add_io(holding->registry->event, &holding->lease_source, lease, 0, on_lease, holding);

	if (error < 0)
		return error;
	holding->lease = lease;
	return 0;
}

/* Takes what was given back out of the ledger: the device, and the members that only it locked out. */
static void settle_removal(struct holding *holding)
{
	struct registry *registry = holding->registry;
	struct claim *claim = holding->claim;
	struct claim_device *entry = claim_find_device(claim, holding->device);
	int32_t group = entry ? entry->before.group : -1;

	if (!entry)
		return;
	if (group >= 0 && holding_others_in_group(holding, group, holding->device) > 0) {
		entry->lockout = true;
		return;
	}
	for (size_t i = claim->device_count; i > 0; i--)
		if (claim->device[i - 1].before.group == group) {
			char name[DEVICE_NAME_MAX];

			memcpy(name, claim->device[i - 1].before.name, sizeof(name));
			ledger_give_back(registry->ledger, claim, name);
		}
}

static void on_removal_done(void *context, const struct wire_result *result, struct descriptors *fds)
{
	struct holding *holding = context;
	struct requester *asker = holding_take_asker(holding);
	char message[3 * TEXT_MAX];
	bool rolls_back = holding->rolls_back;

	holding->run = HOLDING_IDLE;
	holding->overdue = holding->rolls_back = false;
	if (result->outcome == WIRE_OUTCOME_DONE) {
		settle_removal(holding);
		holding_journal(holding);
		requester_answer_kind(asker, ANSWER_DONE, holding->claim, NULL);
	} else {
		note(holding, result);
		snprintf(message, sizeof(message), "%s was not given back and stays in the claim: %s%s", holding->device,
			 holding->claim->note,
			 result->outcome == WIRE_OUTCOME_HELD ? ": close every FD of it first" : "");
		log_warning("claim %s: %s", holding->claim->id, message);
		if (result->outcome == WIRE_OUTCOME_HELD)
			requester_answer_kind(asker, ANSWER_WRONG_STATE, holding->claim, message);
		else
			requester_answer_failed(asker, message, result);
		holding->claim->note[0] = '\0';
	}
	/* An addition that was never acknowledged and can't be taken back alone ends the claim. */
	if (holding->lease_over || (rolls_back && result->outcome != WIRE_OUTCOME_DONE))
		releasing_start(holding);
}

static void on_removal_overdue(void *context)
{
	struct holding *holding = context;

	holding->overdue = true;
	requester_answer_failed(holding_take_asker(holding), "the removal passed its deadline; the device stays in the claim "
							      "until the kernel lets go of it", NULL);
}

static const struct run_events removal_events = { .done = on_removal_done, .overdue = on_removal_overdue };

int releasing_remove(struct holding *holding, const char *device)
{
	struct registry *registry = holding->registry;
	struct claim *claim = holding->claim;
	const struct claim_device *entry = claim_find_device(claim, device);
	int32_t group = entry->before.group;
	bool pin = holding_others_in_group(holding, group, device) > 0;
	struct claim_device *given = calloc(claim->device_count, sizeof(*given));
	struct plan plan = { 0 };
	size_t count = 0;
	int error = given ? 0 : -ENOMEM;

	for (size_t i = 0; i < claim->device_count && error == 0; i++) {
		const struct claim_device *other = &claim->device[i];

		if (strcmp(other->before.name, device) == 0 || (!pin && other->before.group == group))
			given[count++] = *other;
	}
	if (error == 0)
		error = plan_for_release(&plan, given, count, pin);
	if (error == 0) {
		struct run_order order = {
			.kind = WIRE_PLAN_RELEASE,
			.plan = &plan,
			.policy_digest = registry->policy->digest,
			.context = holding->context,
			.peer_fd = -1,
		};

		holding->run = HOLDING_REMOVES;
		memmove(holding->device, entry->before.name, sizeof(holding->device));
		error = host_run(registry->host, &order, &removal_events, holding);
		if (error < 0)
			holding->run = HOLDING_IDLE;
	}
	plan_done(&plan);
	free(given);
	return error;
}
