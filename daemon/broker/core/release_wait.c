#include "release_wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct waiting {
	sd_event *event;
	struct turns *turns;
	struct turn turn;      /* in which one goes on who was stirred */
	struct waiter *first;  /* in the order in which they came */
};

void waiting_forget(struct waiter *waiter)
{
	struct waiter **link;

	if (!waiter->waiting)
		return;
	for (link = &waiter->waiting->first; *link != waiter;)
		link = &(*link)->next;
	*link = waiter->next;
	waiter->waiting = NULL;
	waiter->timer = sd_event_source_disable_unref(waiter->timer);
}

static struct waiter *first_stirred(const struct waiting *waiting)
{
	struct waiter *waiter = waiting->first;

	while (waiter && !waiter->stirred)
		waiter = waiter->next;
	return waiter;
}

static void on_turn(void *context)
{
	struct waiting *waiting = context;
	struct waiter *waiter = first_stirred(waiting);

	if (!waiter)
		return;
	waiting_forget(waiter);
	waiter->go_on(waiter->context);
	/* Anybody may have come or gone. */
	if (first_stirred(waiting))
		turns_want(waiting->turns, &waiting->turn, TURNS_OF_RELEASES);
}

static int on_time(sd_event_source *timer, uint64_t usec, void *context)
{
	struct waiter *waiter = context;

	waiting_forget(waiter);
	waiter->go_on(waiter->context);
	return 0;
}

int waiting_new(sd_event *event, struct turns *turns, struct waiting **out)
{
	struct waiting *waiting = calloc(1, sizeof(*waiting));

	if (!waiting)
		return -ENOMEM;
	waiting->event = sd_event_ref(event);
	waiting->turns = turns;
	waiting->turn = (struct turn){ .take = on_turn, .context = waiting };
	*out = waiting;
	return 0;
}

struct waiting *waiting_free(struct waiting *waiting)
{
	if (!waiting)
		return NULL;
	while (waiting->first)
		waiting_forget(waiting->first);
	turns_forget(&waiting->turn);
	sd_event_unref(waiting->event);
	free(waiting);
	return NULL;
}

int waiting_add(struct waiting *waiting, struct waiter *waiter, const struct claim *claim, uint64_t until)
{
	struct waiter **end = &waiting->first;
	int error = sd_event_add_time(waiting->event, &waiter->timer, CLOCK_MONOTONIC, until, 0, on_time, waiter);

	if (error < 0)
		return error;
	while (*end)
		end = &(*end)->next;
	*end = waiter;
	waiter->next = NULL;
	waiter->waiting = waiting;
	waiter->stirred = false;
	memcpy(waiter->claim, claim->id, sizeof(waiter->claim));
	return 0;
}

void waiting_stir(struct waiting *waiting, const struct claim *claim)
{
	for (struct waiter *waiter = waiting->first; waiter; waiter = waiter->next) {
		if (strcmp(waiter->claim, claim->id) != 0)
			continue;
		waiter->stirred = true;
		turns_want(waiting->turns, &waiting->turn, TURNS_OF_RELEASES);
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

const struct claim *waiting_helps(const struct ledger *ledger, const struct request *request,
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
