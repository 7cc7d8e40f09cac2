#include "reference.h"

#include <stdio.h>
#include <string.h>

struct asked {
	char text[72];
	const struct device *device;
	const struct rule *rule;
	bool pool, allowed, held;
};

struct judging {
	const struct policy *policy;
	const struct world *world;
	const struct world_request *request;
	struct asked asked[8];
	size_t count;
	struct reference_answer *out;
};

/* A set like [a-z] or [!a-z] at pattern; *length is how long it is. */
static bool set_has(const char *pattern, char c, size_t *length)
{
	size_t i = 1, first;
	bool no = pattern[i] == '!', has = false;

	i += no;
	for (first = i; i == first || pattern[i] != ']'; i++) {
		if (pattern[i + 1] == '-' && pattern[i + 2] != ']') {
			has = has || (c >= pattern[i] && c <= pattern[i + 2]);
			i += 2;
		} else {
			has = has || c == pattern[i];
		}
	}
	*length = i + 1;
	return has != no;
}

static bool like(const char *pattern, const char *text)
{
	size_t length;

	if (*pattern == '*')
		return like(pattern + 1, text) || (*text && like(pattern, text + 1));
	if (!*pattern || !*text)
		return !*pattern && !*text;
	if (*pattern == '[')
		return set_has(pattern, *text, &length) && like(pattern + length, text + 1);
	return (*pattern == '?' || *pattern == *text) && like(pattern + 1, text + 1);
}

static bool any_like(const struct text_list *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (like(list->item[i], text))
			return true;
	return false;
}

static const struct device *named(const struct world *world, const char *name)
{
	for (size_t i = 0; i < world->device_count; i++)
		if (strcmp(world->device[i].name, name) == 0)
			return &world->device[i];
	return NULL;
}

static bool selects(const struct policy *policy, const struct world *world, const struct device_selector *selector,
		    const struct device *device);

static bool in_pool(const struct policy *policy, const struct world *world, const char *name,
		    const struct device *device)
{
	for (size_t i = 0; i < policy->pool_count; i++)
		for (size_t k = 0; strcmp(policy->pool[i].name, name) == 0 && k < policy->pool[i].selector_count; k++)
			if (selects(policy, world, &policy->pool[i].selector[k], device))
				return true;
	return false;
}

static bool list_selects(const struct policy *policy, const struct world *world, enum selector_list which,
			 const struct text_list *list, const struct device *device)
{
	char text[64];

	switch (which) {
	case SELECTOR_NAME:
	case SELECTOR_ADDRESS:
		return any_like(list, device->name);
	case SELECTOR_ID:
		snprintf(text, sizeof text, "%04x:%04x", device_pci(device)->vendor, device_pci(device)->device);
		return any_like(list, text);
	case SELECTOR_SUBSYSTEM:
		snprintf(text, sizeof text, "%04x:%04x", device_pci(device)->subsystem_vendor,
			 device_pci(device)->subsystem_device);
		return any_like(list, text);
	case SELECTOR_CLASS:
		snprintf(text, sizeof text, "%06x", device_pci(device)->class_code);
		for (size_t i = 0; i < list->count; i++) {
			char longer[192];

			/* Without a wildcard it is the beginning of a code. */
			snprintf(longer, sizeof longer, "%s%s", list->item[i],
				 strpbrk(list->item[i], "*?[") ? "" : "*");
			if (like(longer, text))
				return true;
		}
		return false;
	case SELECTOR_DRIVER:
		return any_like(list, device->driver);
	case SELECTOR_KIND:
		return any_like(list, "pci");
	case SELECTOR_NUMA_NODE:
		snprintf(text, sizeof text, "%d", device->numa_node);
		return device->numa_node >= 0 && any_like(list, text);
	case SELECTOR_PARENT:
		for (const struct device *at = device; at && at->parent[0]; at = named(world, at->parent))
			if (any_like(list, at->parent))
				return true;
		return false;
	case SELECTOR_POOL:
		for (size_t i = 0; i < list->count; i++)
			if (in_pool(policy, world, list->item[i], device))
				return true;
		return false;
	case SELECTOR_LIST_COUNT:
		break;
	}
	return false;
}

static bool selects(const struct policy *policy, const struct world *world, const struct device_selector *selector,
		    const struct device *device)
{
	size_t given = 0, fitting = 0;

	for (int i = 0; i < SELECTOR_LIST_COUNT; i++) {
		given += selector->list[i].count > 0;
		fitting += selector->list[i].count > 0 &&
			   list_selects(policy, world, (enum selector_list)i, &selector->list[i], device);
	}
	return given > 0 && given == fitting;
}

static bool means(const struct subject_selector *selector, const struct subject *subject)
{
	bool user = selector->uid_count == 0, group = selector->gid_count == 0, unit = selector->unit.count == 0;

	for (size_t i = 0; i < selector->uid_count; i++)
		user = user || selector->uid[i] == subject->uid;
	for (size_t i = 0; i < selector->gid_count; i++) {
		group = group || selector->gid[i] == subject->gid;
		for (size_t k = 0; k < subject->group_count; k++)
			group = group || selector->gid[i] == subject->groups[k];
	}
	unit = unit || (subject->unit[0] && any_like(&selector->unit, subject->unit));
	return selector->any || (user && group && unit);
}

static const struct rule *rule_for(const struct judging *judging, const struct device *device)
{
	for (size_t i = 0; i < judging->policy->rule_count; i++)
		if (means(&judging->policy->rule[i].subject, judging->request->subject) &&
		    selects(judging->policy, judging->world, &judging->policy->rule[i].device, device))
			return &judging->policy->rule[i];
	return NULL;
}

static bool is_never(const struct judging *judging, const struct device *device)
{
	for (size_t i = 0; i < judging->policy->never_count; i++)
		if (selects(judging->policy, judging->world, &judging->policy->never[i].device, device))
			return true;
	return false;
}

/* The claim that has a device. */
static const struct world_claim *owner(const struct world *world, const struct device *device, bool *lockout)
{
	for (size_t i = 0; i < world->claim_count; i++)
		for (size_t k = 0; k < world->claim[i].count; k++)
			if (&world->device[world->claim[i].entry[k].device] == device) {
				*lockout = world->claim[i].entry[k].lockout;
				return &world->claim[i];
			}
	return NULL;
}

static bool is_others(const struct judging *judging, const struct device *device, bool *lockout)
{
	const struct world_claim *claim = owner(judging->world, device, lockout);

	return claim && claim != judging->request->claim;
}

static bool names(const struct text_list *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->item[i], text) == 0)
			return true;
	return false;
}

/* Something stands against taking it: a holder, whatever was consented to, or a use from disruptive on. */
static bool is_used(const struct world *world, const struct device *device, bool consent)
{
	for (size_t i = 0; i < world->use_count; i++)
		if (strcmp(world->use[i].device, device->name) == 0 &&
		    (world->use[i].kind == USE_HOLDER || (!consent && world->use[i].severity >= SEVERITY_DISRUPTIVE)))
			return true;
	return false;
}

static void block(struct judging *judging, enum blocker_kind kind, const struct asked *asked,
		  const struct device *member)
{
	snprintf(judging->out->blocker[judging->out->blocker_count++], 192, "%s %s %s", blocker_kind_to_string(kind),
		 asked->text, member ? member->name : "");
}

/* The first by name of the members of its group that another claim has, it aside. */
static const struct device *others_member(const struct judging *judging, const struct device *device)
{
	const struct device *first = NULL;
	bool lockout;

	for (size_t i = 0; device->group >= 0 && i < judging->world->device_count; i++) {
		const struct device *member = &judging->world->device[i];

		if (member->group == device->group && member != device && is_others(judging, member, &lockout) &&
		    (!first || strcmp(member->name, first->name) < 0))
			first = member;
	}
	return first;
}

static void judge_given(struct judging *judging, struct asked *asked)
{
	const struct device *device = asked->device, *member = others_member(judging, device);
	const struct world_claim *claim = judging->request->claim;
	const struct rule *rule = asked->rule;
	bool lockout = false;

	if (claim && owner(judging->world, device, &lockout) == claim && !lockout) {
		asked->held = true;
		block(judging, BLOCKER_CLAIMED, asked, NULL);
		return;
	}
	if (!(rule->modes >> judging->request->mode & 1) || (claim && claim->mode != judging->request->mode))
		block(judging, BLOCKER_MODE, asked, NULL);
	if (rule->reset == RESET_REQUIRE && device_pci(device)->reset_methods == 0)
		block(judging, BLOCKER_NO_RESET, asked, NULL);
	if (device->driver_fixed && device->driver[0])
		block(judging, BLOCKER_NOT_RESTORABLE, asked, NULL);
	if (is_others(judging, device, &lockout)) {
		block(judging, lockout ? BLOCKER_OTHER_CONTEXT : BLOCKER_CLAIMED, asked, NULL);
		return;
	}
	if (member)
		block(judging, BLOCKER_OTHER_CONTEXT, asked, member);
	if (is_used(judging->world, device,
		    rule->take_in_use && (names(&rule->device.list[SELECTOR_NAME], device->name) ||
					  names(&rule->device.list[SELECTOR_ADDRESS], device->name))))
		block(judging, BLOCKER_IN_USE, asked, NULL);
}

static void judge_asked(struct judging *judging, struct asked *asked)
{
	const struct device *device = asked->device;

	if (!device) {
		block(judging, asked->pool ? BLOCKER_UNKNOWN_POOL : BLOCKER_UNKNOWN_DEVICE, asked, NULL);
		return;
	}
	if (device_is_bridge(device)) {
		block(judging, BLOCKER_BRIDGE, asked, NULL);
		return;
	}
	asked->rule = rule_for(judging, device);
	if (device->group < 0)
		block(judging, BLOCKER_NO_IOMMU_GROUP, asked, NULL);
	if (is_never(judging, device))
		block(judging, BLOCKER_NEVER, asked, NULL);
	else if (!asked->rule)
		block(judging, BLOCKER_NO_RULE, asked, NULL);
	else if (asked->rule->effect == RULE_DENY)
		block(judging, BLOCKER_DENIED, asked, NULL);
	else
		asked->allowed = true;
	if (asked->allowed)
		judge_given(judging, asked);
}

/* Devices asked for that count: uid UINT32_MAX means everybody, rule NULL any. */
static size_t had(const struct world *world, uid_t uid, const char *rule)
{
	size_t count = 0;

	for (size_t i = 0; i < world->claim_count; i++)
		for (size_t k = 0; k < world->claim[i].count; k++)
			count += !world->claim[i].entry[k].lockout &&
				 (uid == UINT32_MAX || world->claim[i].uid == uid) &&
				 (!rule || strcmp(world->claim[i].rule, rule) == 0);
	return count;
}

/* The number of the first device that is one too many, counted from 1; 0: none is. */
static size_t too_many(size_t limit, size_t before)
{
	return limit == UINT32_MAX ? 0 : before >= limit ? 1 : limit - before + 1;
}

static void judge_together(struct judging *judging)
{
	const struct world_claim *claim = judging->request->claim;
	uid_t uid = judging->request->subject->uid;
	const char *rule = claim ? claim->rule : NULL;
	size_t all = 0;

	for (size_t i = 0; i < judging->count; i++) {
		const struct asked *asked = &judging->asked[i];
		size_t of_rule = 1;

		if (!asked->allowed || asked->held)
			continue;
		if (!rule)
			rule = asked->rule->name;
		if (strcmp(rule, asked->rule->name) != 0)
			block(judging, BLOCKER_DIFFERENT_RULES, asked, NULL);
		for (size_t k = 0; k < i; k++)
			of_rule += judging->asked[k].allowed && !judging->asked[k].held &&
				   judging->asked[k].rule == asked->rule;
		all++;
		if (of_rule == too_many(asked->rule->device_limit, had(judging->world, uid, asked->rule->name)))
			block(judging, BLOCKER_LIMIT, asked, NULL);
		if (of_rule ==
		    too_many(asked->rule->device_total_limit, had(judging->world, UINT32_MAX, asked->rule->name)))
			block(judging, BLOCKER_LIMIT, asked, NULL);
		if (all == too_many(judging->policy->user_device_limit, had(judging->world, uid, NULL)))
			block(judging, BLOCKER_LIMIT, asked, NULL);
	}
}

static bool is_asked(const struct judging *judging, const struct device *device)
{
	for (size_t i = 0; i < judging->count; i++)
		if (judging->asked[i].device == device)
			return true;
	return false;
}

/* Who answers for a group: the first asked-for device of it that is allowed, or else the first. */
static const struct asked *answering(const struct judging *judging, int32_t group)
{
	const struct asked *first = NULL;

	for (size_t i = 0; i < judging->count; i++) {
		const struct asked *asked = &judging->asked[i];

		if (!asked->device || device_is_bridge(asked->device) || asked->device->group != group)
			continue;
		if (!first || (asked->allowed && !first->allowed))
			first = asked;
	}
	return first;
}

static void judge_members(struct judging *judging)
{
	for (size_t i = 0; i < judging->world->device_count; i++) {
		const struct device *member = &judging->world->device[i];
		const struct asked *asked = member->group < 0 ? NULL : answering(judging, member->group);
		const struct rule *rule = asked ? asked->rule : NULL;
		bool lockout, named_one, covered = false;

		if (!asked || device_is_bridge(member) || is_asked(judging, member))
			continue;
		if (judging->request->claim && owner(judging->world, member, &lockout) == judging->request->claim)
			continue;
		if (asked->allowed && !is_others(judging, member, &lockout)) {
			named_one = rule->lockout == LOCKOUT_NAMED && names(&rule->lockout_named, member->name);
			if (is_never(judging, member))
				block(judging, BLOCKER_NEVER, asked, member);
			else if (rule->lockout != LOCKOUT_UNUSED && !named_one)
				block(judging, BLOCKER_LOCKOUT_NOT_COVERED, asked, member);
			else if (is_used(judging->world, member, named_one && rule->take_in_use))
				block(judging, BLOCKER_MEMBER_IN_USE, asked, member);
			else if (member->driver_fixed && member->driver[0] && !member->vfio_node[0])
				block(judging, BLOCKER_NOT_RESTORABLE, asked, member);
			else
				covered = true;
		}
		snprintf(judging->out->lockout[judging->out->lockout_count++], 192, "%s %s %d", member->name,
			 asked->text, covered);
	}
}

static void judge(struct judging *judging)
{
	for (size_t i = 0; i < judging->count; i++)
		judge_asked(judging, &judging->asked[i]);
	judge_together(judging);
	judge_members(judging);
}

/* How one candidate stands beside the devices that are named: blockers, and its allow rule. */
static size_t stands(const struct judging *judging, const struct device *device, const struct rule **rule)
{
	static struct reference_answer ignored;
	struct judging alone = *judging;
	size_t own, against;

	ignored.blocker_count = ignored.lockout_count = 0;
	alone.out = &ignored;
	alone.count = 0;
	for (size_t i = 0; i < judging->count; i++)
		if (!judging->asked[i].pool)
			alone.asked[alone.count++] = judging->asked[i];
	own = alone.count++;
	alone.asked[own] = (struct asked){ .device = device };
	snprintf(alone.asked[own].text, sizeof alone.asked[own].text, "%s", device->name);
	/* Nobody answers for the named ones yet: only what stands against the candidate counts. */
	judge_asked(&alone, &alone.asked[own]);
	judge_together(&alone);
	judge_members(&alone);
	*rule = alone.asked[own].allowed ? alone.asked[own].rule : NULL;
	/* Which rule it falls under is asked by itself. */
	against = ignored.blocker_count;
	for (size_t i = 0; i < ignored.blocker_count; i++)
		against -= strncmp(ignored.blocker[i], "different-rules", 15) == 0;
	return against;
}

static size_t costs(const struct judging *judging, const struct device *device)
{
	size_t count = 0;
	bool lockout;

	for (size_t i = 0; device->group >= 0 && i < judging->world->device_count; i++) {
		const struct device *member = &judging->world->device[i];

		count += member->group == device->group && member != device && !device_is_bridge(member) &&
			 !is_asked(judging, member) &&
			 (!judging->request->claim ||
			  owner(judging->world, member, &lockout) != judging->request->claim);
	}
	return count;
}

/* The best device of one pool; *wanted is the name of the rule that it should have, or NULL. */
static const struct device *choose(const struct judging *judging, const char *pool, const char **wanted)
{
	const struct device *best = NULL;
	const struct rule *best_rule = NULL;
	size_t best_key[5];

	for (size_t i = 0; i < judging->world->device_count; i++) {
		const struct device *device = &judging->world->device[i];
		const struct rule *rule;
		size_t against, key[5], k = 0;

		if (!in_pool(judging->policy, judging->world, pool, device) || is_asked(judging, device))
			continue;
		against = stands(judging, device, &rule);
		key[0] = against > 0;
		key[1] = *wanted && (!rule || strcmp(rule->name, *wanted) != 0);
		key[2] = against;
		key[3] = costs(judging, device);
		key[4] = judging->request->numa_node >= 0 && device->numa_node != judging->request->numa_node;
		while (best && k < 5 && key[k] == best_key[k])
			k++;
		if (!best || (k < 5 ? key[k] < best_key[k] : strcmp(device->name, best->name) < 0)) {
			best = device;
			best_rule = rule;
			memcpy(best_key, key, sizeof key);
		}
	}
	if (!*wanted && best_rule)
		*wanted = best_rule->name;
	return best;
}

static bool has_pool(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->pool_count; i++)
		if (strcmp(policy->pool[i].name, name) == 0)
			return true;
	return false;
}

static void choose_all(struct judging *judging)
{
	const char *wanted = judging->request->claim ? judging->request->claim->rule : NULL;
	const struct rule *rule;

	for (size_t i = 0; i < judging->count && !wanted; i++)
		if (judging->asked[i].device && stands(judging, judging->asked[i].device, &rule) < ANSWER_MAX && rule)
			wanted = rule->name;
	for (size_t i = 0; i < judging->count; i++) {
		struct asked *asked = &judging->asked[i];
		const char *pool = asked->text + 5;

		if (!asked->pool || !has_pool(judging->policy, pool))
			continue;
		asked->device = choose(judging, pool, &wanted);
	}
	for (size_t i = 0; i < judging->count; i++) {
		struct asked *asked = &judging->asked[i];

		if (asked->pool && asked->device)
			snprintf(asked->text, sizeof asked->text, "%s", asked->device->name);
		/* A pool without a device left is known; one that is not stays one. */
		else if (asked->pool && has_pool(judging->policy, asked->text + 5))
			asked->pool = false;
	}
}

void reference_decide(const struct policy *policy, const struct world *world, const struct world_request *request,
		      struct reference_answer *out)
{
	static const enum exit_status order[] = { EXIT_UNKNOWN, EXIT_REFUSED, EXIT_BUSY, EXIT_UNSUPPORTED };
	struct judging judging = { .policy = policy, .world = world, .request = request, .out = out };

	out->blocker_count = out->lockout_count = out->device_count = 0;
	for (size_t i = 0; i < request->count; i++) {
		bool pool = strncmp(request->text[i], "pool:", 5) == 0, again = false;
		struct asked *asked = &judging.asked[judging.count];

		for (size_t k = 0; k < judging.count; k++)
			again = again || (!pool && strcmp(judging.asked[k].text, request->text[i]) == 0);
		if (again)
			continue;
		*asked = (struct asked){ .pool = pool, .device = pool ? NULL : named(world, request->text[i]) };
		snprintf(asked->text, sizeof asked->text, "%.71s", request->text[i]);
		judging.count++;
	}
	choose_all(&judging);
	judge(&judging);
	for (size_t i = 0; i < judging.count; i++)
		snprintf(out->device[out->device_count++], DEVICE_NAME_MAX, "%.63s", judging.asked[i].text);
	out->allowed = out->blocker_count == 0;
	out->status = EXIT_DONE;
	for (size_t k = 4; k > 0; k--)
		for (size_t i = 0; i < out->blocker_count; i++) {
			char kind[64];

			sscanf(out->blocker[i], "%63s", kind);
			if (blocker_kind_to_exit_status((enum blocker_kind)blocker_kind_from_string(kind)) ==
			    order[k - 1])
				out->status = order[k - 1];
		}
}
