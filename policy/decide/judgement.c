#include "judgement.h"

#include "../util/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct blocker *deciding_add_blocker(struct deciding *deciding, enum blocker_kind kind, const struct asked *asked)
{
	struct decision *result = &deciding->result;
	struct blocker *blocker = &deciding->scrap;

	if (result->blocker_count == deciding->blockers_allocated) {
		size_t allocated = deciding->blockers_allocated ? deciding->blockers_allocated * 2 : 4;
		struct blocker *larger = reallocarray(result->blocker, allocated, sizeof *larger);

		if (larger) {
			result->blocker = larger;
			deciding->blockers_allocated = allocated;
		} else {
			deciding->error = -ENOMEM;
		}
	}
	if (deciding->error == 0)
		blocker = &result->blocker[result->blocker_count++];
	*blocker = (struct blocker){ .kind = kind };
	if (asked)
		text_escape(blocker->device, sizeof blocker->device, asked->name,
			    strnlen(asked->name, sizeof blocker->device));
	if (asked && asked->rule)
		text_format(blocker->rule, sizeof blocker->rule, "%s", asked->rule->name);
	return blocker;
}

struct note *deciding_add_note(struct deciding *deciding, enum note_kind kind, enum severity severity,
			       const char *device)
{
	struct decision *result = &deciding->result;
	struct note *note = &deciding->scrap_note;

	if (result->note_count == deciding->notes_allocated) {
		size_t allocated = deciding->notes_allocated ? deciding->notes_allocated * 2 : 16;
		struct note *larger = reallocarray(result->note, allocated, sizeof *larger);

		if (larger) {
			result->note = larger;
			deciding->notes_allocated = allocated;
		} else {
			deciding->error = -ENOMEM;
		}
	}
	if (deciding->error == 0)
		note = &result->note[result->note_count++];
	note->kind = kind;
	note->severity = severity;
	note->text[0] = '\0';
	text_format(note->device, sizeof note->device, "%s", device);
	return note;
}

struct sentences deciding_words(struct blocker *blocker)
{
	return (struct sentences){ .message = blocker->message, .remedy = blocker->remedy };
}

const struct claim *deciding_other_owner(const struct deciding *deciding, const char *device, bool *own,
				       const struct claim_device **entry)
{
	const struct claim *owner = NULL;

	*own = false;
	if (deciding->host->ledger)
		owner = ledger_owner(deciding->host->ledger, device, entry);
	if (owner && deciding->request->claim && strcmp(owner->id, deciding->request->claim->id) == 0) {
		*own = true;
		return NULL;
	}
	return owner;
}

struct other_claim deciding_other_claim(const struct deciding *deciding, const struct claim *claim)
{
	bool own = claim->uid == deciding->request->subject->uid && !deciding->request->for_operator;

	return (struct other_claim){ .claim = claim, .own = own, .disclosed = own || deciding->by_operator };
}
