#include "release_check.h"

#include "text.h"

#include <string.h>

/* True if an earlier step of that kind is about the same device. */
static bool came_before(const struct plan *plan, size_t index, enum step_kind kind)
{
	for (size_t i = 0; i < index; i++)
		if (plan->step[i].kind == kind && strcmp(plan->step[i].device, plan->step[index].device) == 0)
			return true;
	return false;
}

/* True if the proof by BIND or by the group was waived for this device: then the unbind is the proof. */
static bool is_waived(const struct plan *plan, const char *device)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct step *step = &plan->step[i];

		if ((step->kind == STEP_PROVE_UNBOUND || step->kind == STEP_PROVE_GROUP_FREE) &&
		    step->number == PROOF_BY_UNBIND && strcmp(step->device, device) == 0)
			return true;
	}
	return false;
}

/* True if the proofs that the interface has were asked for before. */
static bool is_proven(const struct plan *plan, size_t index)
{
	return came_before(plan, index, STEP_PROVE_NO_HOLDER) &&
	       (came_before(plan, index, STEP_PROVE_UNBOUND) || came_before(plan, index, STEP_PROVE_GROUP_FREE));
}

bool release_is_sound(const struct plan *plan, const struct kernel_features *kernel, bool context_passed,
		      char why[static TEXT_MAX])
{
	/* The group proves less, and is proof only where there is nothing better. */
	const enum step_kind no_proof =
		kernel_interface(kernel) == INTERFACE_IOMMUFD ? STEP_PROVE_GROUP_FREE : STEP_PROVE_UNBOUND;

	for (size_t i = 0; i < plan->count; i++) {
		const struct step *step = &plan->step[i];
		const char *wrong = NULL;

		if (step->kind < STEP_REVOKE || step->kind > STEP_RESTORE)
			wrong = "is one of a claim";
		else if (step->kind == no_proof)
			wrong = "is no proof on this kernel";
		else if ((step->kind == STEP_RESET || step->kind == STEP_UNBIND_VFIO) && !is_proven(plan, i))
			wrong = "comes before its device is proven free";
		else if (step->kind == STEP_PROVE_UNBOUND && step->number == 1 && !context_passed)
			wrong = "needs the claim's iommufd, which did not come";
		else if (step->kind == STEP_RESET && is_waived(plan, step->device) && !came_before(plan, i, STEP_UNBIND_VFIO))
			wrong = "comes before the unbind that is to prove its device free";
		if (!wrong)
			continue;
		text_format(why, TEXT_MAX, "step %zu of the release%s%s %s", i, step->device[0] ? ", for " : "",
			    step->device[0] ? step->device : "", wrong);
		return false;
	}
	return true;
}
