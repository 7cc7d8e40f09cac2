#include "judge_lockouts.h"

#include "../util/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct found *add_found(struct judgement *judgement)
{
	if (judgement->found_count == judgement->found_allocated) {
		size_t allocated = judgement->found_allocated ? judgement->found_allocated * 2 : 8;
		struct found *larger = reallocarray(judgement->found, allocated, sizeof *larger);

		if (!larger) {
			judgement->error = -ENOMEM;
			return NULL;
		}
		judgement->found = larger;
		judgement->found_allocated = allocated;
	}
	return &judgement->found[judgement->found_count++];
}

static bool is_asked_for(const struct judgement *judgement, const struct device *device)
{
	for (size_t i = 0; i < judgement->count; i++)
		if (judgement->asked[i].device == device)
			return true;
	return false;
}

/* Finds the members that this device would lock out, which are judged by its rule. */
static void find_lockouts(struct judgement *judgement, const struct asked *asked)
{
	const struct device *members[GROUP_MEMBERS_MAX];
	size_t count = topology_members(judgement->host->topology, device_claimed_group(asked->device), members,
					GROUP_MEMBERS_MAX);

	if (count > GROUP_MEMBERS_MAX) {
		if (asked->eligible)
			say_group_too_large(judgement_words(
						    judgement_add_blocker(judgement, BLOCKER_GROUP_TOO_LARGE, asked)),
					    asked->name, count);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct found found = { .member = members[i], .asked = asked, .cover = COVER_NOT_ALLOWED }, *added;
		const struct claim_device *entry;
		bool own;

		if (device_is_bridge(members[i]) || is_asked_for(judgement, members[i]))
			continue;
		found.owned = judgement_other_owner(judgement, members[i]->name, &own, &entry) != NULL;
		if (own)
			continue;
		if (asked->eligible && !found.owned)
			found.cover = coverage_of_member(judgement->policy, judgement->host->topology, asked->rule,
							 judgement->host->uses, members[i], &found.blocking);
		added = add_found(judgement);
		if (!added)
			return;
		*added = found;
	}
}

void judge_find_lockouts(struct judgement *judgement)
{
	for (size_t i = 0; i < judgement->count; i++) {
		const struct asked *asked = &judgement->asked[i], *judge = NULL;
		bool again = false;

		if (!asked->device || device_is_bridge(asked->device) || device_claimed_group(asked->device) < 0)
			continue;
		for (size_t k = 0; k < judgement->count; k++) {
			const struct asked *other = &judgement->asked[k];

			if (!other->device || device_is_bridge(other->device) ||
			    !device_shares_group(other->device, asked->device))
				continue;
			again = again || k < i;
			if (!judge && other->eligible)
				judge = other;
		}
		if (!again)
			find_lockouts(judgement, judge ? judge : asked);
	}
}

static int found_order(const void *a, const void *b)
{
	return strcmp(((const struct found *)a)->member->name, ((const struct found *)b)->member->name);
}

/*
 * What the rule's lockout would have to say for all members that it does not allow: text for the policy. The same for
 * all of a rule's members, so it is kept for the next.
 */
static const char *needed_lockout(struct judgement *judgement, const struct rule *rule)
{
	const size_t size = sizeof judgement->needed - sizeof "]}";
	char *out = judgement->needed;
	bool first = true, cut = false;

	if (judgement->needed_of == rule)
		return out;
	judgement->needed_of = rule;
	text_format(out, size, "\"lockout\": {\"named\": [");
	for (size_t i = 0; i < rule->lockout_named.count && !cut; i++, first = false)
		cut = strlen(text_append(out, size, "%s\"%s\"", first ? "" : ", ", rule->lockout_named.item[i])) + 1 >=
		      size;
	for (size_t i = 0; i < judgement->found_count && !cut; i++) {
		const struct found *found = &judgement->found[i];

		if (found->asked->rule != rule || found->cover != COVER_NOT_ALLOWED || found->owned)
			continue;
		cut = strlen(text_append(out, size, "%s\"%s\"", first ? "" : ", ", found->member->name)) + 1 >= size;
		first = false;
	}
	/* A list that is cut off is no policy text. */
	if (cut)
		return text_format(out, size, "\"lockout\": \"unused\"");
	return text_append(out, sizeof judgement->needed, "]}");
}

static void judge_lockout(struct judgement *judgement, const struct found *found)
{
	const struct device *member = found->member;
	const struct use *use = found->blocking;
	const struct rule *rule = found->asked->rule;
	const char *device = found->asked->name, *told;
	static const enum blocker_kind kinds[] = {
		[COVER_NEVER] = BLOCKER_NEVER,
		[COVER_NOT_ALLOWED] = BLOCKER_LOCKOUT_NOT_COVERED,
		[COVER_IN_USE] = BLOCKER_MEMBER_IN_USE,
		[COVER_NOT_RESTORABLE] = BLOCKER_NOT_RESTORABLE,
	};
	struct blocker *blocker;

	if (found->cover == COVER_GIVEN || found->owned || !found->asked->eligible)
		return;
	if (found->cover == COVER_NOT_ALLOWED)
		use = coverage_blocking_use(judgement->host->uses, member->name, false);
	told = use ? use_told(use, judgement->by_operator) : "";
	blocker = judgement_add_blocker(judgement, kinds[found->cover], found->asked);
	text_format(blocker->member, sizeof blocker->member, "%s", member->name);
	text_format(blocker->use, sizeof blocker->use, "%s", told);
	if (found->cover == COVER_NEVER) {
		say_never(judgement_words(blocker), device, member->name,
			  policy_never(judgement->policy, judgement->host->topology, member));
	} else if (found->cover == COVER_NOT_ALLOWED) {
		say_lockout_not_covered(judgement_words(blocker), device, member, told, rule,
					needed_lockout(judgement, rule));
	} else if (found->cover == COVER_IN_USE) {
		say_member_in_use(judgement_words(blocker), device, member, use, told, rule);
	} else {
		say_not_restorable(judgement_words(blocker), device, member->name, member->driver);
	}
}

void judge_lockouts(struct judgement *judgement)
{
	struct decision *result = &judgement->result;

	if (judgement->found_count == 0)
		return;
	qsort(judgement->found, judgement->found_count, sizeof *judgement->found, found_order);
	result->lockout = calloc(judgement->found_count, sizeof *result->lockout);
	if (!result->lockout) {
		judgement->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < judgement->found_count; i++) {
		const struct found *found = &judgement->found[i];
		const struct use *use = uses_worst(judgement->host->uses, found->member->name, SEVERITY_IDLE);
		struct lockout *lockout = &result->lockout[result->lockout_count++];

		text_format(lockout->device, sizeof lockout->device, "%s", found->member->name);
		text_format(lockout->for_device, sizeof lockout->for_device, "%s", found->asked->name);
		text_format(lockout->driver, sizeof lockout->driver, "%s", found->member->driver);
		if (use) {
			lockout->severity = (enum severity)use->severity;
			text_format(lockout->use, sizeof lockout->use, "%s", use_told(use, judgement->by_operator));
		}
		lockout->covered = found->cover == COVER_GIVEN;
		judge_lockout(judgement, found);
	}
}
