#include "decision.h"

#include "blocker_text.h"
#include "coverage.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A device that is asked for. */
struct asked {
	const char *name;            /* as the request has it: hostile */
	const struct device *device; /* NULL: unknown */
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

struct deciding {
	const struct policy *policy;
	const struct host_view *host;
	const struct request *request;
	bool by_operator;
	struct asked asked[CLAIM_DEVICES_MAX];
	size_t count;
	struct found *found;
	size_t found_count, found_allocated;
	struct decision result;
	size_t blockers_allocated;
	const struct rule *needed_of; /* the rule that needed is for */
	char needed[TEXT_MAX];
	struct blocker scrap; /* what is said once memory is out */
	int error;            /* -ENOMEM, or 0 */
};

/* Adds a blocker and returns it for its words. Once memory is out the words go nowhere. */
static struct blocker *add_blocker(struct deciding *deciding, enum blocker_kind kind, const struct asked *asked)
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

static struct sentences words_of(struct blocker *blocker)
{
	return (struct sentences){ .message = blocker->message, .remedy = blocker->remedy };
}

/* The claim that has a device, or NULL; the claim that is to grow counts as none, with *own set. */
static const struct claim *other_owner(const struct deciding *deciding, const char *device, bool *own,
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

static struct other_claim other_of(const struct deciding *deciding, const struct claim *claim)
{
	bool own = claim->uid == deciding->request->subject->uid;

	return (struct other_claim){ .claim = claim, .own = own, .disclosed = own || deciding->by_operator };
}

/* One blocker for a device that another claim has, or whose group another claim has. True if it was the device. */
static bool judge_owner(struct deciding *deciding, const struct asked *asked)
{
	const struct device *device = asked->device, *members[GROUP_MEMBERS_MAX];
	const struct claim_device *entry = NULL;
	const struct claim *owner;
	struct blocker *blocker;
	size_t count;
	bool own;

	owner = other_owner(deciding, device->name, &own, &entry);
	if (owner) {
		struct other_claim other = other_of(deciding, owner);

		blocker = add_blocker(deciding, entry->lockout ? BLOCKER_OTHER_CONTEXT : BLOCKER_CLAIMED, asked);
		if (other.disclosed)
			text_format(blocker->claim, sizeof blocker->claim, "%s", owner->id);
		if (entry->lockout)
			say_locked_out(words_of(blocker), device->name, other);
		else
			say_claimed(words_of(blocker), device->name, other);
		return true;
	}
	count = topology_members(deciding->host->topology, device->group, members, GROUP_MEMBERS_MAX);
	for (size_t i = 0; i < count && i < GROUP_MEMBERS_MAX; i++) {
		owner = members[i] == device ? NULL : other_owner(deciding, members[i]->name, &own, &entry);
		if (!owner)
			continue;
		blocker = add_blocker(deciding, BLOCKER_OTHER_CONTEXT, asked);
		if (other_of(deciding, owner).disclosed)
			text_format(blocker->claim, sizeof blocker->claim, "%s", owner->id);
		text_format(blocker->member, sizeof blocker->member, "%s", members[i]->name);
		say_other_context(words_of(blocker), device->name, members[i]->name, other_of(deciding, owner));
		break;
	}
	return false;
}

static void judge_use(struct deciding *deciding, const struct asked *asked)
{
	const char *device = asked->device->name;
	const struct use *use =
		coverage_blocking_use(deciding->host->uses, device, coverage_consents(asked->rule, device));
	struct blocker *blocker;
	const char *told;

	if (!use)
		return;
	told = use_told(use, deciding->by_operator);
	blocker = add_blocker(deciding, BLOCKER_IN_USE, asked);
	text_format(blocker->use, sizeof blocker->use, "%s", told);
	say_in_use(words_of(blocker), device, use, told, asked->rule);
}

/* What stands against a device under the rule that allows it. */
static void judge_under_rule(struct deciding *deciding, const struct asked *asked)
{
	const struct request *request = deciding->request;
	const struct device *device = asked->device;
	const struct rule *rule = asked->rule;

	if (!(rule->modes & 1u << request->mode))
		say_mode(words_of(add_blocker(deciding, BLOCKER_MODE, asked)), device->name, rule, request->mode);
	else if (request->claim && request->claim->mode != request->mode)
		say_claim_mode(words_of(add_blocker(deciding, BLOCKER_MODE, asked)), device->name, request->claim,
			       request->mode);
	if (coverage_lacks_reset(rule, device))
		say_no_reset(words_of(add_blocker(deciding, BLOCKER_NO_RESET, asked)), device->name, rule);
	if (coverage_is_stuck_on_driver(device))
		say_not_restorable(words_of(add_blocker(deciding, BLOCKER_NOT_RESTORABLE, asked)), device->name, NULL,
				   device->driver);
	/* The client of another claim is a use of its device too, but the claim says more. */
	if (!judge_owner(deciding, asked))
		judge_use(deciding, asked);
}

static void judge_device(struct deciding *deciding, struct asked *asked)
{
	const struct claim_device *entry = NULL;
	const struct device *device = asked->device;
	const struct never_entry *never;
	bool own;

	if (!device) {
		say_unknown_device(words_of(add_blocker(deciding, BLOCKER_UNKNOWN_DEVICE, asked)), asked->name);
		return;
	}
	if (device->bridge) {
		say_bridge(words_of(add_blocker(deciding, BLOCKER_BRIDGE, asked)), device->name);
		return;
	}
	asked->rule = policy_rule_for(deciding->policy, deciding->request->subject, device);
	if (device->group < 0)
		say_no_group(words_of(add_blocker(deciding, BLOCKER_NO_IOMMU_GROUP, asked)), device->name);
	never = policy_never(deciding->policy, device);
	if (never) {
		say_never(words_of(add_blocker(deciding, BLOCKER_NEVER, asked)), device->name, NULL, never);
		return;
	}
	if (!asked->rule) {
		say_no_rule(words_of(add_blocker(deciding, BLOCKER_NO_RULE, asked)), device->name,
			    deciding->request->subject->uid);
		return;
	}
	if (asked->rule->effect == RULE_DENY) {
		say_denied(words_of(add_blocker(deciding, BLOCKER_DENIED, asked)), device->name, asked->rule);
		return;
	}
	asked->eligible = true;
	other_owner(deciding, device->name, &own, &entry);
	asked->held = own && !entry->lockout;
	if (asked->held)
		say_already_claimed(words_of(add_blocker(deciding, BLOCKER_CLAIMED, asked)), device->name,
				    deciding->request->claim);
	else
		judge_under_rule(deciding, asked);
}

/* How many devices one user may have under a rule, and one claim at all. */
static void judge_limits(struct deciding *deciding)
{
	const struct claim *claim = deciding->request->claim;
	const struct rule *rule = NULL;
	size_t had = 0, more = 0, in_claim = 0;

	for (size_t i = 0; claim && i < claim->device_count; i++)
		in_claim += !claim->device[i].lockout;
	for (size_t i = 0; i < deciding->count; i++) {
		const struct asked *asked = &deciding->asked[i];

		if (!asked->eligible || asked->held)
			continue;
		if (++in_claim == CLAIM_DEVICES_MAX + 1)
			say_claim_full(words_of(add_blocker(deciding, BLOCKER_LIMIT, asked)), asked->name, claim);
		if (asked->rule->device_limit == UINT32_MAX)
			continue;
		if (asked->rule != rule) {
			rule = asked->rule;
			more = 0;
			had = deciding->host->ledger ? ledger_devices_of(deciding->host->ledger,
									 deciding->request->subject->uid, rule->name)
						     : 0;
		}
		more++;
		/* Said once, of the first device that is too many. */
		if (had + more > rule->device_limit && (more == 1 || had + more - 1 <= rule->device_limit))
			say_limit(words_of(add_blocker(deciding, BLOCKER_LIMIT, asked)), asked->name, rule, had);
	}
}

/* All devices of a claim fall under one rule: it has one lockout permission, one limit, one name. */
static void judge_one_rule(struct deciding *deciding)
{
	const struct claim *claim = deciding->request->claim;
	const struct asked *first = NULL;

	for (size_t i = 0; i < deciding->count; i++) {
		const struct asked *asked = &deciding->asked[i];
		const char *name;

		if (!asked->eligible || asked->held)
			continue;
		if (!first)
			first = asked;
		name = claim ? claim->rule : first->rule->name;
		if (strcmp(asked->rule->name, name) != 0)
			say_different_rules(words_of(add_blocker(deciding, BLOCKER_DIFFERENT_RULES, asked)),
					    asked->name, asked->rule, name, claim ? NULL : first->name);
	}
}

static struct found *add_found(struct deciding *deciding)
{
	if (deciding->found_count == deciding->found_allocated) {
		size_t allocated = deciding->found_allocated ? deciding->found_allocated * 2 : 8;
		struct found *larger = reallocarray(deciding->found, allocated, sizeof *larger);

		if (!larger) {
			deciding->error = -ENOMEM;
			return NULL;
		}
		deciding->found = larger;
		deciding->found_allocated = allocated;
	}
	return &deciding->found[deciding->found_count++];
}

static bool is_asked_for(const struct deciding *deciding, const struct device *device)
{
	for (size_t i = 0; i < deciding->count; i++)
		if (deciding->asked[i].device == device)
			return true;
	return false;
}

/* Finds the members that this device would lock out, which are judged by its rule. */
static void find_lockouts(struct deciding *deciding, const struct asked *asked)
{
	const struct device *members[GROUP_MEMBERS_MAX];
	size_t count = topology_members(deciding->host->topology, asked->device->group, members, GROUP_MEMBERS_MAX);

	if (count > GROUP_MEMBERS_MAX) {
		if (asked->eligible)
			say_group_too_large(words_of(add_blocker(deciding, BLOCKER_GROUP_TOO_LARGE, asked)),
					    asked->name, count);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct found found = { .member = members[i], .asked = asked, .cover = COVER_NOT_ALLOWED }, *added;
		const struct claim_device *entry;
		bool own;

		if (members[i]->bridge || is_asked_for(deciding, members[i]))
			continue;
		found.owned = other_owner(deciding, members[i]->name, &own, &entry) != NULL;
		if (own)
			continue;
		if (asked->eligible && !found.owned)
			found.cover = coverage_of_member(deciding->policy, asked->rule, deciding->host->uses,
							 members[i], &found.blocking);
		added = add_found(deciding);
		if (!added)
			return;
		*added = found;
	}
}

/* Each group once, for the first of its asked-for devices that an allow rule stands for. */
static void find_all_lockouts(struct deciding *deciding)
{
	for (size_t i = 0; i < deciding->count; i++) {
		const struct asked *asked = &deciding->asked[i], *judge = NULL;
		bool again = false;

		if (!asked->device || asked->device->bridge || asked->device->group < 0)
			continue;
		for (size_t k = 0; k < deciding->count; k++) {
			const struct asked *other = &deciding->asked[k];

			if (!other->device || other->device->bridge || other->device->group != asked->device->group)
				continue;
			again = again || k < i;
			if (!judge && other->eligible)
				judge = other;
		}
		if (!again)
			find_lockouts(deciding, judge ? judge : asked);
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
static const char *needed_lockout(struct deciding *deciding, const struct rule *rule)
{
	const size_t size = sizeof deciding->needed - sizeof "]}";
	char *out = deciding->needed;
	bool first = true, cut = false;

	if (deciding->needed_of == rule)
		return out;
	deciding->needed_of = rule;
	text_format(out, size, "\"lockout\": {\"named\": [");
	for (size_t i = 0; i < rule->lockout_named.count && !cut; i++, first = false)
		cut = strlen(text_append(out, size, "%s\"%s\"", first ? "" : ", ", rule->lockout_named.item[i])) + 1 >=
		      size;
	for (size_t i = 0; i < deciding->found_count && !cut; i++) {
		const struct found *found = &deciding->found[i];

		if (found->asked->rule != rule || found->cover != COVER_NOT_ALLOWED || found->owned)
			continue;
		cut = strlen(text_append(out, size, "%s\"%s\"", first ? "" : ", ", found->member->name)) + 1 >= size;
		first = false;
	}
	/* A list that is cut off is no policy text. */
	if (cut)
		return text_format(out, size, "\"lockout\": \"unused\"");
	return text_append(out, sizeof deciding->needed, "]}");
}

static void judge_lockout(struct deciding *deciding, const struct found *found)
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
		use = coverage_blocking_use(deciding->host->uses, member->name, false);
	told = use ? use_told(use, deciding->by_operator) : "";
	blocker = add_blocker(deciding, kinds[found->cover], found->asked);
	text_format(blocker->member, sizeof blocker->member, "%s", member->name);
	text_format(blocker->use, sizeof blocker->use, "%s", told);
	if (found->cover == COVER_NEVER) {
		say_never(words_of(blocker), device, member->name, policy_never(deciding->policy, member));
	} else if (found->cover == COVER_NOT_ALLOWED) {
		say_lockout_not_covered(words_of(blocker), device, member, told, rule, needed_lockout(deciding, rule));
	} else if (found->cover == COVER_IN_USE) {
		say_member_in_use(words_of(blocker), device, member, use, told, rule);
	} else {
		say_not_restorable(words_of(blocker), device, member->name, member->driver);
	}
}

/* Writes the lockouts that were found, and what stands against them. */
static void judge_lockouts(struct deciding *deciding)
{
	struct decision *result = &deciding->result;

	if (deciding->found_count == 0)
		return;
	qsort(deciding->found, deciding->found_count, sizeof *deciding->found, found_order);
	result->lockout = calloc(deciding->found_count, sizeof *result->lockout);
	if (!result->lockout) {
		deciding->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < deciding->found_count; i++) {
		const struct found *found = &deciding->found[i];
		const struct use *use = uses_worst(deciding->host->uses, found->member->name, SEVERITY_IDLE);
		struct lockout *lockout = &result->lockout[result->lockout_count++];

		text_format(lockout->device, sizeof lockout->device, "%s", found->member->name);
		text_format(lockout->for_device, sizeof lockout->for_device, "%s", found->asked->name);
		text_format(lockout->driver, sizeof lockout->driver, "%s", found->member->driver);
		if (use) {
			lockout->severity = (enum severity)use->severity;
			text_format(lockout->use, sizeof lockout->use, "%s", use_told(use, deciding->by_operator));
		}
		lockout->covered = found->cover == COVER_GIVEN;
		judge_lockout(deciding, found);
	}
}

/* The interface of VFIO that this kernel has, if the mode and the claim that grows can do with it. */
static void judge_interface(struct deciding *deciding)
{
	const struct kernel_features *kernel = deciding->host->kernel;
	const struct claim *claim = deciding->request->claim;
	enum delivery_mode mode = deciding->request->mode;
	int interface = kernel_interface(kernel);

	if (mode == MODE_BROKERED)
		say_mode_not_served(words_of(add_blocker(deciding, BLOCKER_KERNEL, NULL)), mode);
	else if (interface < 0)
		say_kernel_lacks(words_of(add_blocker(deciding, BLOCKER_KERNEL, NULL)), kernel->release,
				 kernel->iommufd, kernel->vfio_cdev);
	else if (claim && claim->interface != (enum vfio_interface)interface)
		say_interface_changed(words_of(add_blocker(deciding, BLOCKER_KERNEL, NULL)), claim->interface);
	else if (mode == MODE_OPEN && interface != INTERFACE_IOMMUFD)
		say_mode_needs_iommufd(words_of(add_blocker(deciding, BLOCKER_KERNEL, NULL)), kernel->release, mode);
	else
		deciding->result.interface = (enum vfio_interface)interface;
}

/* What this kernel lacks for any claim. Of no interest where no device is known. */
static void judge_kernel(struct deciding *deciding)
{
	const struct kernel_features *kernel = deciding->host->kernel;
	const struct rule *refusing = NULL;
	bool any = false, accepted = true;

	for (size_t i = 0; i < deciding->count; i++) {
		const struct rule *rule = deciding->asked[i].rule;

		any = any || deciding->asked[i].device;
		if (rule && rule->accept_unsafe_interrupts)
			continue;
		accepted = false;
		if (rule && rule->effect == RULE_ALLOW)
			refusing = rule;
	}
	if (!any)
		return;
	judge_interface(deciding);
	if (kernel->unsafe_interrupts && !accepted)
		say_unsafe_interrupts(words_of(add_blocker(deciding, BLOCKER_KERNEL, NULL)), refusing);
	if (kernel->noiommu)
		say_noiommu(words_of(add_blocker(deciding, BLOCKER_KERNEL, NULL)));
}

/* The groups that the client has open already, where devices are opened by their groups. */
static void tell_open_groups(const struct claim *claim, struct delivery *delivery)
{
	for (size_t i = 0; claim && i < claim->device_count; i++) {
		const struct claim_device *device = &claim->device[i];
		bool told = false;

		for (size_t k = 0; k < delivery->group_count; k++)
			told = told || delivery->group[k] == device->before.group;
		if (!device->lockout && !told && delivery->group_count < CLAIM_DEVICES_MAX)
			delivery->group[delivery->group_count++] = device->before.group;
	}
}

/* The steps of a claim that nothing stands against. */
static void make_plan(struct deciding *deciding)
{
	const struct claim *claim = deciding->request->claim;
	const struct rule *rule = deciding->asked[0].rule;
	struct claim_device *device = calloc(deciding->count + deciding->found_count, sizeof *device);
	size_t count = 0;
	int error;

	if (!device) {
		deciding->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < deciding->count; i++)
		device[count++] = (struct claim_device){ .before = *deciding->asked[i].device };
	for (size_t i = 0; i < deciding->found_count; i++)
		device[count++] = (struct claim_device){ .before = *deciding->found[i].member, .lockout = true };
	/* A claim that grows had its memory granted when it was made. */
	struct delivery delivery = {
		.mode = deciding->request->mode,
		.interface = deciding->result.interface,
		.groups = deciding->host->kernel->vfio_group,
		.uid = deciding->request->subject->uid,
		.grows = claim != NULL,
		.ioas_id = claim ? claim->ioas_id : 0,
		.memlock = claim ? 0 : rule->memlock,
	};

	if (delivery.interface == INTERFACE_GROUP && delivery.mode == MODE_ATTACHED)
		tell_open_groups(claim, &delivery);
	error = plan_for_claim(&deciding->result.plan, device, count, &delivery);
	free(device);
	if (error == -E2BIG)
		say_plan_too_long(words_of(add_blocker(deciding, BLOCKER_GROUP_TOO_LARGE, NULL)), deciding->count,
				  deciding->found_count);
	else if (error < 0)
		deciding->error = error;
}

/* Of all blockers the one that counts most: unknown, then policy, then busy, then what can't be. */
static enum exit_status worst_status(const struct decision *decision)
{
	static const enum exit_status order[] = { EXIT_UNKNOWN, EXIT_REFUSED, EXIT_BUSY };

	if (decision->blocker_count == 0)
		return EXIT_DONE;
	for (size_t k = 0; k < sizeof order / sizeof *order; k++)
		for (size_t i = 0; i < decision->blocker_count; i++)
			if (blocker_kind_to_exit_status(decision->blocker[i].kind) == order[k])
				return order[k];
	return EXIT_UNSUPPORTED;
}

/* Takes over the devices of the request, each once. */
static void gather(struct deciding *deciding)
{
	const struct request *request = deciding->request;

	for (size_t i = 0; i < request->device_count; i++) {
		size_t k = 0;

		while (k < deciding->count && strcmp(deciding->asked[k].name, request->device[i]) != 0)
			k++;
		if (k == deciding->count)
			deciding->asked[deciding->count++] = (struct asked){
				.name = request->device[i],
				.device = topology_find(deciding->host->topology, request->device[i]),
			};
	}
}

static void judge_all(struct deciding *deciding)
{
	struct decision *result = &deciding->result;

	result->device = calloc(deciding->count, sizeof *result->device);
	if (!result->device) {
		deciding->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < deciding->count; i++) {
		struct asked *asked = &deciding->asked[i];
		struct decided_device *device = &result->device[result->device_count++];

		judge_device(deciding, asked);
		text_escape(device->device, sizeof device->device, asked->name,
			    strnlen(asked->name, sizeof device->device));
		device->rule = asked->rule;
	}
	judge_one_rule(deciding);
	judge_limits(deciding);
	find_all_lockouts(deciding);
	judge_lockouts(deciding);
	judge_kernel(deciding);
	if (result->blocker_count == 0 && deciding->error == 0)
		make_plan(deciding);
	result->allowed = result->blocker_count == 0;
	result->status = worst_status(result);
}

int decide(const struct policy *policy, const struct host_view *host, const struct request *request,
	   struct decision *out)
{
	struct deciding deciding = { .policy = policy, .host = host, .request = request };

	if (request->device_count < 1 || request->device_count > CLAIM_DEVICES_MAX ||
	    (unsigned)request->mode >= DELIVERY_MODE_COUNT)
		return -EINVAL;
	deciding.by_operator = policy_is_operator(policy, request->subject);
	gather(&deciding);
	judge_all(&deciding);
	free(deciding.found);
	if (deciding.error < 0) {
		decision_done(&deciding.result);
		return deciding.error;
	}
	*out = deciding.result;
	return 0;
}

void decision_done(struct decision *decision)
{
	free(decision->device);
	free(decision->lockout);
	free(decision->blocker);
	plan_done(&decision->plan);
	*decision = (struct decision){ .allowed = false };
}
