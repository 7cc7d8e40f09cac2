#include "held_nodes.h"

#include "../util/text.h"

#include <string.h>

bool hold_is_sane(const struct hold *hold)
{
	return hold->pid > 0 && hold->kind < HOLD_KIND_COUNT && hold->count > 0 && hold->group >= -1 &&
	       hold->service <= 1 && text_is_printable(hold->device, sizeof hold->device) &&
	       text_is_printable(hold->node, sizeof hold->node) && text_is_printable(hold->claim, sizeof hold->claim) &&
	       text_is_printable(hold->command, sizeof hold->command) &&
	       text_is_printable(hold->unit, sizeof hold->unit);
}

bool node_access_is_sane(const struct node_access *access)
{
	return text_is_printable(access->node, sizeof access->node) && access->node[0] &&
	       text_is_printable(access->device, sizeof access->device) && access->group >= -1 &&
	       access->mode <= 07777 && access->everybody <= 1 && access->groups <= 1 &&
	       access->user_count <= NODE_USERS_MAX && text_is_printable(access->acl, sizeof access->acl);
}

/* The holds of one process, and how they stand to the claims. */
struct holder {
	const struct hold *hold;
	size_t count;
	const struct ledger *ledger;
	bool compared;
};

static bool has_context_of(const struct holder *holder, const struct claim *claim)
{
	for (size_t i = 0; i < holder->count; i++)
		if (holder->hold[i].claim[0] && strcmp(holder->hold[i].claim, claim->id) == 0)
			return true;
	return false;
}

/* True if what the process holds of this claim's devices came to it by the claim. */
static bool is_party(const struct holder *holder, const struct claim *claim)
{
	/* A number alone may have been used again, by anybody. */
	bool client = claim->pid == holder->hold->pid && claim->uid == holder->hold->uid;
	bool opener = claim->mode == MODE_NODE && claim->uid == holder->hold->uid;

	return client || opener || has_context_of(holder, claim);
}

static bool has_device_in_group(const struct claim *claim, int32_t group)
{
	for (size_t i = 0; i < claim->device_count; i++)
		if (!claim->device[i].lockout && claim->device[i].before.group == group)
			return true;
	return false;
}

/* The claim that what is held belongs to: by the device, where it is known, or by its group. NULL: none. */
static const struct claim *owner_of(const struct ledger *ledger, const struct hold *hold)
{
	const struct claim_device *device = NULL;
	const struct claim *owner;

	if (hold->device[0]) {
		owner = ledger_owner(ledger, hold->device, &device);
		return owner && !device->lockout ? owner : NULL;
	}
	for (owner = ledger_first(ledger); owner && hold->group >= 0; owner = ledger_next(owner))
		if (has_device_in_group(owner, hold->group))
			return owner;
	return NULL;
}

static void originate(struct hold_origin *out, enum hold_verdict verdict, const char *claim)
{
	out->verdict = verdict;
	text_format(out->claim, sizeof out->claim, "%s", claim);
}

/*
 * The claim that a device is of which the kernel does not name, as it does not for one that was opened by its group:
 * the process's own, if it has no group from elsewhere, and no more such devices than its claims have. NULL: that can't
 * be told.
 */
static const struct claim *owner_of_unnamed(const struct holder *holder, const struct hold *hold)
{
	const struct claim *owner = NULL;
	size_t devices = 0;

	for (size_t i = 0; i < holder->count; i++) {
		const struct hold *group = &holder->hold[i];
		const struct claim *its = group->kind == HOLD_GROUP ? owner_of(holder->ledger, group) : NULL;

		if (group->kind == HOLD_GROUP && (!its || !is_party(holder, its)))
			return NULL;
	}
	for (const struct claim *claim = ledger_first(holder->ledger); claim; claim = ledger_next(claim)) {
		if ((claim->interface != INTERFACE_GROUP && claim->mode != MODE_NODE) || !is_party(holder, claim))
			continue;
		for (size_t i = 0; i < claim->device_count; i++)
			devices += !claim->device[i].lockout;
		owner = owner ? owner : claim;
	}
	return hold->count <= devices ? owner : NULL;
}

/* An FD or a mapping of a device, or of a group. */
static void judge_device(const struct holder *holder, const struct hold *hold, struct hold_origin *out)
{
	const struct claim *owner = owner_of(holder->ledger, hold);
	bool unnamed = hold->kind != HOLD_VDPA && !hold->device[0] && hold->group < 0;

	if (unnamed)
		owner = owner_of_unnamed(holder, hold);
	if (owner)
		originate(out, is_party(holder, owner) ? HOLD_OF_CLAIM : HOLD_UNKNOWN, owner->id);
	else if (unnamed && ledger_first(holder->ledger))
		originate(out, HOLD_UNKNOWN, "");
	else
		originate(out, HOLD_FOREIGN, "");
}

/* A context that the kernel does not know as a claim's. Who got nodes opens a container of his own for their groups. */
static void judge_context(const struct holder *holder, const struct hold *hold, struct hold_origin *out)
{
	bool contexts = false;

	for (const struct claim *claim = ledger_first(holder->ledger); claim; claim = ledger_next(claim)) {
		bool nodes = claim->mode == MODE_NODE;

		contexts = contexts || !nodes || claim->interface != INTERFACE_GROUP;
		if (nodes && hold->kind == HOLD_CONTAINER && claim->uid == hold->uid) {
			originate(out, HOLD_OF_CLAIM, claim->id);
			return;
		}
	}
	originate(out, contexts && !holder->compared ? HOLD_UNKNOWN : HOLD_FOREIGN, "");
}

static void judge(const struct holder *holder, const struct hold *hold, struct hold_origin *out)
{
	const struct claim *owner = owner_of(holder->ledger, hold);

	if (hold->service)
		originate(out, HOLD_OF_SERVICE, hold->claim[0] ? hold->claim : owner ? owner->id : "");
	else if (hold->claim[0])
		originate(out, HOLD_OF_CLAIM, hold->claim);
	else if (hold->kind == HOLD_IOMMUFD || hold->kind == HOLD_CONTAINER)
		judge_context(holder, hold, out);
	else
		judge_device(holder, hold, out);
}

void hold_judge(const struct hold *hold, size_t count, const struct ledger *ledger, bool compared,
		struct hold_origin *out)
{
	for (size_t first = 0, end; first < count; first = end) {
		struct holder holder = { .hold = hold + first, .ledger = ledger, .compared = compared };

		for (end = first; end < count && hold[end].pid == hold[first].pid; end++)
			holder.count++;
		for (size_t i = first; i < end; i++)
			judge(&holder, &hold[i], &out[i]);
	}
}

static bool claim_gives_node(const struct claim *claim, const struct node_access *access)
{
	if (claim->mode != MODE_NODE)
		return false;
	for (size_t i = 0; i < claim->device_count; i++)
		if (!claim->device[i].lockout &&
		    (access->device[0] ? strcmp(claim->device[i].before.name, access->device) == 0
				       : claim->device[i].before.group == access->group))
			return true;
	/* The container's node is of no group, and whoever opens groups needs it. */
	return access->group < 0 && strcmp(access->node, "vfio/vfio") == 0;
}

bool node_access_is_granted(const struct node_access *access, const struct ledger *ledger)
{
	if (access->everybody || access->groups || access->users_left_out > 0)
		return false;
	for (uint32_t i = 0; i < access->user_count; i++) {
		const struct claim *claim = ledger_first(ledger);

		while (claim && (claim->uid != access->user[i] || !claim_gives_node(claim, access)))
			claim = ledger_next(claim);
		if (!claim)
			return false;
	}
	return access->user_count > 0;
}
