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
static bool is_taken(const struct deciding *deciding, const struct asked *asked)
{
	bool own;

	return asked->device && !asked->device->bridge && asked->device->group >= 0 && !asked->held &&
	       !deciding_other_owner(deciding, asked->device->name, &own, NULL);
}

void notes_add(struct deciding *deciding)
{
	struct decision *result = &deciding->result;

	for (size_t i = 0; i < deciding->count; i++) {
		const struct asked *asked = &deciding->asked[i];

		if (!is_taken(deciding, asked))
			continue;
		note_loss(deciding, asked->device, asked, false);
		note_undone(deciding, asked->device, asked);
		note_reset(deciding, asked);
		note_functions(deciding, asked);
		note_slot(deciding, asked);
	}
	for (size_t i = 0; i < deciding->found_count; i++) {
		const struct found *found = &deciding->found[i];

		if (found->owned)
			continue;
		note_loss(deciding, found->member, found->asked, true);
		note_undone(deciding, found->member, found->asked);
	}
	note_peers(deciding);
	note_kernel(deciding);
	if (result->note_count > 1)
		qsort(result->note, result->note_count, sizeof *result->note, note_order);
}
