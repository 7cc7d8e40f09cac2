#include "release_wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct release_waits {
	sd_event *event;
	struct turns *turns;
	struct turn turn;     /* in which one goes on who was stirred */
	struct waiter *first; /* in the order in which they came */
};

void release_wait_forget(struct waiter *waiter)
{
	struct waiter **link;

	if (!waiter->waits)
		return;
	for (link = &waiter->waits->first; *link != waiter;)
		link = &(*link)->next;
	*link = waiter->next;
	waiter->waits = NULL;
	waiter->timer = sd_event_source_disable_unref(waiter->timer);
}

static struct waiter *first_stirred(const struct release_waits *waits)
{
	struct waiter *waiter = waits->first;

	while (waiter && !waiter->stirred)
		waiter = waiter->next;
	return waiter;
}

static void on_turn(void *context)
{
	struct release_waits *waits = context;
	struct waiter *waiter = first_stirred(waits);

	if (!waiter)
		return;
	release_wait_forget(waiter);
	waiter->go_on(waiter->context);
	/* Anybody may have come or gone. */
	if (first_stirred(waits))
		turns_want(waits->turns, &waits->turn, TURNS_OF_RELEASES);
}

static int on_time(sd_event_source *timer, uint64_t usec, void *context)
{
	struct waiter *waiter = context;

	release_wait_forget(waiter);
	waiter->go_on(waiter->context);
	return 0;
}

int release_wait_new(sd_event *event, struct turns *turns, struct release_waits **out)
{
	struct release_waits *waits = calloc(1, sizeof(*waits));

	if (!waits)
		return -ENOMEM;
	waits->event = sd_event_ref(event);
	waits->turns = turns;
	waits->turn = (struct turn){ .take = on_turn, .context = waits };
	*out = waits;
	return 0;
}

struct release_waits *release_wait_free(struct release_waits *waits)
{
	if (!waits)
		return NULL;
	while (waits->first)
		release_wait_forget(waits->first);
	turns_forget(&waits->turn);
	sd_event_unref(waits->event);
	free(waits);
	return NULL;
}

int release_wait_add(struct release_waits *waits, struct waiter *waiter, const struct claim *claim, uint64_t until)
{
	struct waiter **end = &waits->first;
	int error = sd_event_add_time(waits->event, &waiter->timer, CLOCK_MONOTONIC, until, 0, on_time, waiter);

	if (error < 0)
		return error;
	while (*end)
		end = &(*end)->next;
	*end = waiter;
	waiter->next = NULL;
	waiter->waits = waits;
	waiter->stirred = false;
	memcpy(waiter->claim, claim->id, sizeof(waiter->claim));
	return 0;
}

void release_wait_stir(struct release_waits *waits, const struct claim *claim)
{
	for (struct waiter *waiter = waits->first; waiter; waiter = waiter->next) {
		if (strcmp(waiter->claim, claim->id) != 0)
			continue;
		waiter->stirred = true;
		turns_want(waits->turns, &waits->turn, TURNS_OF_RELEASES);
	}
}

/* The claim being released without which the user would have fewer than the rule's limit, or NULL. */
static const struct claim *releasing_under_limit(const struct ledger *ledger, const struct request *request,
						 const struct decision *decision, const struct blocker *blocker)
{
	const struct claim *found = NULL;
	const struct rule *rule = NULL;
	size_t devices = ledger_devices_of(ledger, request->subject->uid, blocker->rule);

	for (size_t i = 0; i < decision->device_count; i++) {
		const struct rule *other = decision->device[i].rule;

		if (!other || strcmp(other->name, blocker->rule) != 0)
			continue;
		rule = other;
		devices++;
	}
	for (const struct claim *claim = ledger_first(ledger); claim; claim = ledger_next(claim)) {
		if (claim->state != CLAIM_RELEASING || claim->uid != request->subject->uid ||
		    strcmp(claim->rule, blocker->rule) != 0)
			continue;
		found = claim;
		for (size_t i = 0; i < claim->device_count; i++)
			devices -= !claim->device[i].lockout;
	}
	return rule && devices <= rule->device_limit ? found : NULL;
}

const struct claim *release_wait_helps(const struct ledger *ledger, const struct request *request,
				       const struct decision *decision)
{
	const struct claim *found = NULL;

	for (size_t i = 0; i < decision->blocker_count; i++) {
		const struct blocker *blocker = &decision->blocker[i];
		const struct claim *claim = NULL;

		if (blocker->kind == BLOCKER_CLAIMED || blocker->kind == BLOCKER_OTHER_CONTEXT)
			claim = ledger_owner(ledger, blocker->member[0] ? blocker->member : blocker->device, NULL);
		else if (blocker->kind == BLOCKER_LIMIT)
			claim = releasing_under_limit(ledger, request, decision, blocker);
		if (!claim || claim->state != CLAIM_RELEASING)
			return NULL;
		found = claim;
	}
	return found;
}
