/*
 * What this executor did itself: which devices its binders made ready for somebody, and which they took back. So a
 * record of the broker's can be confirmed by whoever did it, or is marked as one that was not. Pure bookkeeping.
 */
#pragma once

#include "../../base/wire.h"
#include "../../../policy/util/name_table.h"

/* By device, the last that was done with it. All zero is empty. */
struct done_plans {
	struct name_table devices; /* struct deed by the device's name */
};

/* The devices of a plan that a binder has. All zero is empty. */
struct deed_set {
	uint32_t kind; /* enum wire_plan_kind */
	char claim[CLAIM_ID_MAX];
	uid_t uid; /* whose claim it is, by the ledger of what was given */
	char (*device)[DEVICE_NAME_MAX];
	size_t count;
};

/* Keeps which devices a plan makes ready, or takes back. What was in the set is forgotten. */
void deed_set_begin(struct deed_set *set, uint32_t kind, const struct plan *plan, const struct plan_owner *owner);
void deed_set_done(struct deed_set *set);

/* The plan was done. Out of memory, its devices are not confirmed. */
void done_plans_note(struct done_plans *done_plans, const struct deed_set *set);
/* Whether this executor did what the record says, with these devices, for this claim of this user. */
enum wire_proof done_plans_prove(const struct done_plans *done_plans, const struct audit_record *record);
void done_plans_done(struct done_plans *done_plans);
