/*
 * One decision while it is made: what was asked, what was found, and the blockers so far. The parts that judge share
 * it; nothing here decides.
 */
#pragma once

#include "refusal_text.h"
#include "../rules/coverage.h"
#include "decision.h"

/* A device that is asked for. */
struct asked {
	const char *name;            /* as the request has it: hostile; the device's own once a pool's was chosen */
	const char *pool;            /* "any one of" it: its name; else NULL */
	const struct device *device; /* NULL: unknown, or none of the pool */
	const struct rule *rule;     /* the first that matches, whatever it says; NULL: none */
	bool eligible;               /* an allow rule stands for it: what it would lock out is judged by that rule */
	bool held;                   /* the claim that grows has it already */
};

/* A member that would be locked out. */
struct found {
	const struct device *member;
	const struct asked *asked; /* the asked-for device whose group it is in */
	enum cover cover;
	const struct use *blocking; /* with COVER_IN_USE */
	bool owned;                 /* by another claim: said of the asked-for device already */
};

struct judgement {
	const struct policy *policy;
	const struct host_view *host;
	const struct request *request;
	bool by_operator;
	struct asked asked[CLAIM_DEVICES_MAX];
	size_t count;
	struct found *found;
	size_t found_count, found_allocated;
	struct decision result; /* chosen has room for all */
	size_t blockers_allocated;
	const struct rule *needed_of; /* the rule that needed is for */
	char needed[TEXT_MAX];
	size_t notes_allocated;
	struct blocker scrap; /* what is said once memory is out */
	struct note scrap_note;
	int error; /* -ENOMEM, or 0 */
};

/* Adds a blocker and returns it for its words. Once memory is out the words go nowhere. asked: NULL where none is
 * meant. */
struct blocker *judgement_add_blocker(struct judgement *judgement, enum blocker_kind kind, const struct asked *asked);
/* Adds a note and returns it for its text, as above. device: "" where it is about none. */
struct note *judgement_add_note(struct judgement *judgement, enum note_kind kind, enum severity severity,
				const char *device);
struct sentences judgement_words(struct blocker *blocker);
/*
 * The claim that has a device, with *entry its entry there, or NULL. The claim that is to grow counts as none, with
 * *own set.
 */
const struct claim *judgement_other_owner(const struct judgement *judgement, const char *device, bool *own,
					  const struct claim_device **entry);
/* How much the caller may be told of a claim in the way. */
struct other_claim judgement_other_claim(const struct judgement *judgement, const struct claim *claim);
