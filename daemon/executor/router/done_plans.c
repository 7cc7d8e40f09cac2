#include "done_plans.h"

#include "../../base/log.h"

#include <stdlib.h>
#include <string.h>

struct deed {
	char device[DEVICE_NAME_MAX];
	uint32_t kind;            /* enum wire_plan_kind of the plan that was done last */
	char claim[CLAIM_ID_MAX]; /* whose it was */
	uid_t uid;
};

static bool concerns(uint32_t kind, const struct step *step)
{
	if (!step->device[0])
		return false;
	return kind == WIRE_PLAN_RELEASE || step->kind == STEP_OPEN || step->kind == STEP_GROUP_DEVICE ||
	       step->kind == STEP_GRANT;
}

static bool has(const struct deed_set *set, const char *device)
{
	for (size_t i = 0; i < set->count; i++)
		if (strcmp(set->device[i], device) == 0)
			return true;
	return false;
}

void deed_set_begin(struct deed_set *set, uint32_t kind, const struct plan *plan, const struct plan_owner *owner)
{
	size_t count = 0;

	deed_set_done(set);
	set->kind = kind;
	set->uid = owner->subject.uid;
	memcpy(set->claim, owner->claim, sizeof(set->claim));
	for (size_t i = 0; i < plan->count; i++)
		count += concerns(kind, &plan->step[i]);
	set->device = calloc(count + 1, sizeof(*set->device));
	for (size_t i = 0; set->device && i < plan->count; i++)
		if (concerns(kind, &plan->step[i]) && !has(set, plan->step[i].device))
			memcpy(set->device[set->count++], plan->step[i].device, DEVICE_NAME_MAX);
}

void deed_set_done(struct deed_set *set)
{
	free(set->device);
	*set = (struct deed_set){ .device = NULL };
}

static struct deed *deed_of(struct done_plans *done_plans, const char *device)
{
	struct deed *deed = name_table_find(&done_plans->devices, device);

	if (deed)
		return deed;
	deed = calloc(1, sizeof(*deed));
	if (!deed)
		return NULL;
	memcpy(deed->device, device, strlen(device) + 1);
	if (name_table_add(&done_plans->devices, deed->device, deed) == 0)
		return deed;
	free(deed);
	return NULL;
}

void done_plans_note(struct done_plans *done_plans, const struct deed_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		struct deed *deed = deed_of(done_plans, set->device[i]);

		if (!deed)
			continue;
		deed->kind = set->kind;
		deed->uid = set->uid;
		memcpy(deed->claim, set->claim, sizeof(deed->claim));
	}
}

enum wire_proof done_plans_prove(const struct done_plans *done_plans, const struct audit_record *record)
{
	uint32_t kind = record->kind == RECORD_GRANT ? WIRE_PLAN_CLAIM : WIRE_PLAN_RELEASE;

	/* A policy that was read is nobody's. */
	if (record->kind == RECORD_POLICY_LOAD)
		return WIRE_PROOF_NONE;
	/* What did not happen here, nobody but the broker can tell of: not that it did, and not of whom. */
	if (!record->success || (record->kind != RECORD_GRANT && record->kind != RECORD_RELEASE))
		return WIRE_PROOF_MISSING;
	for (uint32_t i = 0; i < record->device_count; i++) {
		const struct deed *deed = name_table_find(&done_plans->devices, record->device[i]);

		if (!deed || deed->kind != kind || deed->uid != record->uid || strcmp(deed->claim, record->claim) != 0)
			return WIRE_PROOF_MISSING;
	}
	return WIRE_PROOF_THERE;
}

void done_plans_done(struct done_plans *done_plans)
{
	for (size_t i = 0; i < done_plans->devices.allocated; i++)
		free(done_plans->devices.slot[i].value);
	name_table_done(&done_plans->devices);
}
