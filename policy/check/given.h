/*
 * The executor's ledger of what it gave: which devices to which claim, for whom, by which rule, and how each was
 * before. A broker that was taken over can say what it likes; what this ledger does not know was never given, so
 * nothing of it is reset, unbound or restored, and what it knows is put back as it was and in no other way. No text in
 * sysfs is believed: a driver_override marks a device as taken only where the ledger says so. Pure: the files are the
 * executor's matter.
 */
#pragma once

#include "../model/kernel_features.h"
#include "../plan/plan.h"
#include "../rules/policy.h"

enum given_effect {
	GIVEN_NOTHING,  /* whatever comes of the plan, the ledger stays as it is */
	GIVEN_CLAIM,    /* a new claim */
	GIVEN_ADDITION, /* devices for a claim that grows */
	GIVEN_RELEASE,  /* all of a claim is put back */
	GIVEN_REMOVAL,  /* one device of it is */
};

/* What a plan does to the ledger, once its result is known. */
struct given_change {
	enum given_effect effect;
	char claim[CLAIM_ID_MAX];
	char device[CLAIM_DEVICES_MAX][DEVICE_NAME_MAX]; /* that were added, or the one that is removed */
	size_t device_count;
};

/*
 * Enters a claim's plan, before its first step. topology: its devices and all members of their groups, as they are now.
 * The claim has to be new, or the same user's in the same mode; each device must be nobody's, nor share a group with
 * another claim's; the rule's limits hold over all claims of the ledger. Whether the policy gives the devices at all is
 * plan_is_covered()'s matter. True, or false with one sentence in why: nothing was entered.
 */
bool given_take(struct ledger *given, const struct policy *policy, const struct topology *topology,
		const struct kernel_features *kernel, const struct plan *plan, const struct plan_owner *owner,
		bool context_passed, struct given_change *out, char why[static TEXT_MAX]);

/*
 * Holds a release against the ledger. It has to be, step by step, one that the core makes of what the ledger has: of
 * the whole claim, of one device of it, of its nodes, or of its mappings. A rule that has changed since may have become
 * milder. Steps about devices that the claim was never given (a crash came before) are taken out of the plan, if by the
 * topology nothing of a claim is left on them. True, with what is left to do in *plan, perhaps nothing; or false with
 * one sentence in why.
 */
bool given_match_release(const struct ledger *given, const struct policy *policy, const struct topology *topology,
			 struct plan *plan, const struct plan_owner *owner, bool context_passed,
			 struct given_change *out, char why[static TEXT_MAX]);

/* What became of a plan that was entered or matched. */
enum given_end {
	GIVEN_DONE,   /* every step */
	GIVEN_UNDONE, /* a claim's: nothing is left of it. A release's, which was refused: as GIVEN_OPEN */
	GIVEN_OPEN,   /* neither: what was entered stays, and what was to be put back is still to be */
};
/* True if the claim leaves the ledger with this end: what hangs on it has to be let go of before. */
bool given_ends_claim(const struct given_change *change, enum given_end end);
/* Settles the change. True if the ledger says something else of the claim now than it did while the plan was under way.
 */
bool given_settle(struct ledger *given, const struct given_change *change, enum given_end end);

/* False where the ledger has this claim for another user: any other user lies. */
bool given_may_be_of(const struct ledger *given, const char *claim, uid_t uid);
/* True if all these devices are given to one claim, by this rule. */
bool given_by_rule(const struct ledger *given, const char (*device)[DEVICE_NAME_MAX], size_t count, const char *rule);
