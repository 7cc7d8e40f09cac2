#include "judge_kernel.h"

/* The interface of VFIO that this kernel has, if the mode and the claim that grows can do with it. */
static void judge_interface(struct judgement *judgement)
{
	const struct kernel_features *kernel = judgement->host->kernel;
	const struct claim *claim = judgement->request->claim;
	enum delivery_mode mode = judgement->request->mode;
	int interface = kernel_interface(kernel);

	if (mode == MODE_BROKERED)
		say_mode_not_served(judgement_words(judgement_add_blocker(judgement, BLOCKER_KERNEL, NULL)), mode);
	else if (interface < 0)
		say_kernel_lacks(judgement_words(judgement_add_blocker(judgement, BLOCKER_KERNEL, NULL)),
				 kernel->release, kernel->iommufd, kernel->vfio_cdev);
	else if (claim && claim->interface != (enum vfio_interface)interface)
		say_interface_changed(judgement_words(judgement_add_blocker(judgement, BLOCKER_KERNEL, NULL)),
				      claim->interface);
	else if (mode == MODE_OPEN && interface != INTERFACE_IOMMUFD)
		say_mode_needs_iommufd(judgement_words(judgement_add_blocker(judgement, BLOCKER_KERNEL, NULL)),
				       kernel->release, mode);
	else
		judgement->result.interface = (enum vfio_interface)interface;
}

void judge_kernel(struct judgement *judgement)
{
	const struct kernel_features *kernel = judgement->host->kernel;
	const struct rule *refusing = NULL;
	bool any = false, accepted = true;

	for (size_t i = 0; i < judgement->count; i++) {
		const struct rule *rule = judgement->asked[i].rule;

		any = any || judgement->asked[i].device;
		if (rule && rule->accept_unsafe_interrupts)
			continue;
		accepted = false;
		if (rule && rule->effect == RULE_ALLOW)
			refusing = rule;
	}
	if (!any)
		return;
	judge_interface(judgement);
	if (kernel->unsafe_interrupts && !accepted)
		say_unsafe_interrupts(judgement_words(judgement_add_blocker(judgement, BLOCKER_KERNEL, NULL)),
				      refusing);
	if (kernel->noiommu)
		say_noiommu(judgement_words(judgement_add_blocker(judgement, BLOCKER_KERNEL, NULL)));
}
