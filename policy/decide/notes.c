#include "notes.h"

#include "note_isolation.h"
#include "note_losses.h"
#include "note_undone.h"

#include <stdlib.h>
#include <string.h>

/* Losses from the worst to the least, then by kind; of equals by device. */
static int note_order(const void *a, const void *b)
{
	const struct note *first = a, *second = b;

	if (first->kind != second->kind)
		return first->kind < second->kind ? -1 : 1;
	if (first->severity != second->severity)
		return first->severity > second->severity ? -1 : 1;
	return strcmp(first->device, second->device);
}

/* True if the claim would take this device from the host: it is there, can be claimed, and nobody has it. */
static bool is_taken(const struct judgement *judgement, const struct asked *asked)
{
	bool own;

	return asked->device && !device_is_bridge(asked->device) && !device_lacks_group(asked->device) &&
	       !asked->held && !judgement_other_owner(judgement, asked->device->name, &own, NULL);
}

void notes_add(struct judgement *judgement)
{
	struct decision *result = &judgement->result;

	for (size_t i = 0; i < judgement->count; i++) {
		const struct asked *asked = &judgement->asked[i];

		if (!is_taken(judgement, asked))
			continue;
		note_loss(judgement, asked->device, asked, false);
		note_undone(judgement, asked->device, asked);
		note_reset(judgement, asked);
		note_functions(judgement, asked);
		note_slot(judgement, asked);
	}
	for (size_t i = 0; i < judgement->found_count; i++) {
		const struct found *found = &judgement->found[i];

		if (found->owned)
			continue;
		note_loss(judgement, found->member, found->asked, true);
		note_undone(judgement, found->member, found->asked);
	}
	note_peers(judgement);
	note_kernel(judgement);
	if (result->note_count > 1)
		qsort(result->note, result->note_count, sizeof *result->note, note_order);
}
