#include "judgement.h"

#include "../util/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct blocker *judgement_add_blocker(struct judgement *judgement, enum blocker_kind kind, const struct asked *asked)
{
	struct decision *result = &judgement->result;
	struct blocker *blocker = &judgement->scrap;

	if (result->blocker_count == judgement->blockers_allocated) {
		size_t allocated = judgement->blockers_allocated ? judgement->blockers_allocated * 2 : 4;
		struct blocker *larger = reallocarray(result->blocker, allocated, sizeof *larger);

		if (larger) {
			result->blocker = larger;
			judgement->blockers_allocated = allocated;
		} else {
			judgement->error = -ENOMEM;
		}
	}
	if (judgement->error == 0)
		blocker = &result->blocker[result->blocker_count++];
	*blocker = (struct blocker){ .kind = kind };
	if (asked)
		text_escape(blocker->device, sizeof blocker->device, asked->name,
			    strnlen(asked->name, sizeof blocker->device));
	if (asked && asked->rule)
		text_format(blocker->rule, sizeof blocker->rule, "%s", asked->rule->name);
	return blocker;
}

struct note *judgement_add_note(struct judgement *judgement, enum note_kind kind, enum severity severity,
				const char *device)
{
	struct decision *result = &judgement->result;
	struct note *note = &judgement->scrap_note;

	if (result->note_count == judgement->notes_allocated) {
		size_t allocated = judgement->notes_allocated ? judgement->notes_allocated * 2 : 16;
		struct note *larger = reallocarray(result->note, allocated, sizeof *larger);

		if (larger) {
			result->note = larger;
			judgement->notes_allocated = allocated;
		} else {
			judgement->error = -ENOMEM;
		}
	}
	if (judgement->error == 0)
		note = &result->note[result->note_count++];
	note->kind = kind;
	note->severity = severity;
	note->text[0] = '\0';
	text_format(note->device, sizeof note->device, "%s", device);
	return note;
}

struct sentences judgement_words(struct blocker *blocker)
{
	return (struct sentences){ .message = blocker->message, .remedy = blocker->remedy };
}

const struct claim *judgement_other_owner(const struct judgement *judgement, const char *device, bool *own,
					  const struct claim_device **entry)
{
	const struct claim *owner = NULL;

	*own = false;
	if (judgement->host->ledger)
		owner = ledger_owner(judgement->host->ledger, device, entry);
	if (owner && judgement->request->claim && strcmp(owner->id, judgement->request->claim->id) == 0) {
		*own = true;
		return NULL;
	}
	return owner;
}

struct other_claim judgement_other_claim(const struct judgement *judgement, const struct claim *claim)
{
	bool own = claim->uid == judgement->request->subject->uid && !judgement->request->for_operator;

	return (struct other_claim){ .claim = claim, .own = own, .disclosed = own || judgement->by_operator };
}
