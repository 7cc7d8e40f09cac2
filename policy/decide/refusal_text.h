/*
 * The sentences of refusals: what blocks, by name, and what would resolve it. One function for each kind of case; here
 * stands how things are said, and nothing decides here. Also what is told to whom: process ids, mount points, other
 * users' numbers and claims go to operators only.
 */
#pragma once

#include "../model/ledger.h"
#include "../rules/policy.h"
#include "../model/use.h"

enum { SENTENCE_MAX = 2 * TEXT_MAX };

/* Where a refusal goes: two arrays of SENTENCE_MAX bytes. */
struct sentences {
	char *message;
	char *remedy;
};

/* A claim that is in the way, and how much of it may be told. */
struct other_claim {
	const struct claim *claim;
	bool own;       /* it is the asking user's own */
	bool disclosed; /* its id, owner and note may be told: it is the user's own, or an operator asks */
};

/* What a use is called to an operator, or to anybody else. Lives as long as the use. */
const char *use_told(const struct use *use, bool to_operator);

void say_unknown_device(struct sentences out, const char *device);
/* Of a pool that is not known, or that has no device left to choose. */
void say_pool(struct sentences out, const char *pool, bool known);
/* release: of the kernel; iommufd, cdev: whether it has them. */
void say_kernel_lacks(struct sentences out, const char *release, bool iommufd, bool cdev);
/* The kernel has groups, and the mode needs iommufd. */
void say_mode_needs_iommufd(struct sentences out, const char *release, enum delivery_mode mode);
void say_mode_not_served(struct sentences out, enum delivery_mode mode);
/* A claim that grows was made through the interface had, which is not what the kernel offers now. */
void say_interface_changed(struct sentences out, enum vfio_interface had);
/* rule: that does not accept it, or NULL. */
void say_unsafe_interrupts(struct sentences out, const struct rule *rule);
void say_noiommu(struct sentences out);
void say_policies_differ(struct sentences out);
/* Adds to a refusal by the policy that the files are not in force. fault: the first reason; NULL: not told. */
void say_policy_refused(struct sentences out, const char *fault);
void say_bridge(struct sentences out, const char *device);
void say_no_group(struct sentences out, const char *device);
void say_noiommu_group(struct sentences out, const struct device *device);
void say_group_too_large(struct sentences out, const char *device, size_t members);
void say_plan_too_long(struct sentences out, size_t devices, size_t lockouts);
/* member: NULL where the device itself is meant. */
void say_never(struct sentences out, const char *device, const char *member, const struct never_entry *entry);
void say_no_rule(struct sentences out, const char *device, uid_t uid);
void say_denied(struct sentences out, const char *device, const struct rule *rule);
void say_mode(struct sentences out, const char *device, const struct rule *rule, enum delivery_mode mode);
void say_not_delivered(struct sentences out, const struct device *device, enum delivery_mode mode,
		       enum vfio_interface interface);
void say_claim_mode(struct sentences out, const char *device, const struct claim *claim, enum delivery_mode mode);
/* had: devices that the user has under the rule already. */
void say_limit(struct sentences out, const char *device, const struct rule *rule, size_t had);
/* had: devices that all users have under the rule already; that the user has under all rules. */
void say_total_limit(struct sentences out, const char *device, const struct rule *rule, size_t had);
void say_user_limit(struct sentences out, const char *device, uint32_t limit, size_t had);
void say_claim_full(struct sentences out, const char *device, const struct claim *claim);
/* other_rule: the rule of the other devices of the claim, one of which is other_device; NULL where the claim grows. */
void say_different_rules(struct sentences out, const char *device, const struct rule *rule, const char *other_rule,
			 const char *other_device);
void say_no_reset(struct sentences out, const char *device, const struct rule *rule);
void say_not_restorable(struct sentences out, const char *device, const char *member, const char *driver);
/* told: what use_told() says. */
void say_in_use(struct sentences out, const char *device, const struct use *use, const char *told,
		const struct rule *rule);
void say_member_in_use(struct sentences out, const char *device, const struct device *member, const struct use *use,
		       const char *told, const struct rule *rule);
/* told: its use, or "". needed: what the rule would have to say, as policy text. */
void say_lockout_not_covered(struct sentences out, const char *device, const struct device *member, const char *told,
			     const struct rule *rule, const char *needed);
void say_already_claimed(struct sentences out, const char *device, const struct claim *claim);
void say_claimed(struct sentences out, const char *device, struct other_claim other);
void say_locked_out(struct sentences out, const char *device, struct other_claim other);
void say_other_context(struct sentences out, const char *device, const char *member, struct other_claim other);
