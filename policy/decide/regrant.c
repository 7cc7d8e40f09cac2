#include "regrant.h"

#include "refusal_text.h"
#include "../rules/coverage.h"
#include "../util/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct checking {
	const struct policy *policy;
	const struct topology *topology;
	const struct ledger *ledger;
	const struct claim *claim;
	struct subject subject;
	const struct rule *rule; /* of the claim's devices, by the policy; NULL: none yet */
	const char *ruled;       /* the device that it was found for */
	struct regrants *out;
	int error;
};

static struct regrant *add(struct checking *checking, const char *device)
{
	struct regrants *out = checking->out;
	struct regrant *added;

	if (out->count == out->allocated) {
		size_t allocated = out->allocated ? out->allocated * 2 : 8;
		struct regrant *larger = reallocarray(out->item, allocated, sizeof *larger);

		if (!larger) {
			checking->error = -ENOMEM;
			return NULL;
		}
		out->item = larger;
		out->allocated = allocated;
	}
	added = &out->item[out->count++];
	*added = (struct regrant){ .reason = "" };
	text_format(added->claim, sizeof added->claim, "%s", checking->claim->id);
	text_format(added->device, sizeof added->device, "%s", device);
	return added;
}

/* True where the rule, which allows the device, gives it as the claim has it; else out says why not. */
static bool rule_gives(struct checking *checking, const struct rule *rule, const struct device *device,
		       struct sentences out)
{
	if (!(rule->modes & 1u << checking->claim->mode))
		say_mode(out, device->name, rule, checking->claim->mode);
	else if (coverage_lacks_reset(rule, device))
		say_no_reset(out, device->name, rule);
	else if (checking->rule && checking->rule != rule)
		say_different_rules(out, device->name, rule, checking->rule->name, checking->ruled);
	else
		return true;
	return false;
}

/* An asked-for device: its rule, and what stands against it. */
static void check_device(struct checking *checking, const struct device *device)
{
	const struct policy *policy = checking->policy;
	const struct never_entry *never = policy_never(policy, checking->topology, device);
	const struct rule *rule = policy_rule_for(policy, checking->topology, &checking->subject, device);
	char message[SENTENCE_MAX] = "", remedy[SENTENCE_MAX];
	struct sentences out = { .message = message, .remedy = remedy };
	struct regrant *added;

	if (never)
		say_never(out, device->name, NULL, never);
	else if (!rule)
		say_no_rule(out, device->name, checking->subject.uid);
	else if (rule->effect == RULE_DENY)
		say_denied(out, device->name, rule);
	else if (rule_gives(checking, rule, device, out) && !checking->rule) {
		checking->rule = rule;
		checking->ruled = device->name;
	}
	if (!message[0])
		return;
	added = add(checking, device->name);
	if (added)
		text_format(added->reason, sizeof added->reason, "%s", message);
}

/* A locked-out member, under the rule that the claim would have now. */
static void check_lockout(struct checking *checking, const struct device *member)
{
	const struct never_entry *never = policy_never(checking->policy, checking->topology, member);
	const struct uses nothing = { .use = NULL };
	char message[SENTENCE_MAX] = "", remedy[SENTENCE_MAX];
	struct sentences out = { .message = message, .remedy = remedy };
	const struct use *use;
	struct regrant *added;

	if (never)
		say_never(out, checking->ruled, member->name, never);
	else if (coverage_of_member(checking->policy, checking->topology, checking->rule, &nothing, member, &use) ==
		 COVER_NOT_ALLOWED)
		text_format(message, sizeof message, "the rule \"%s\" (%s:%u) does not allow locking out %s",
			    checking->rule->name, checking->rule->file, checking->rule->line, member->name);
	if (!message[0])
		return;
	added = add(checking, member->name);
	if (added)
		text_format(added->reason, sizeof added->reason, "%s", message);
}

/* More devices than the limits give: told of the claim's first device. */
static void check_limits(struct checking *checking)
{
	const struct rule *rule = checking->rule;
	const char *rule_before = checking->claim->rule;
	uid_t uid = checking->claim->uid;
	size_t own = ledger_devices_of(checking->ledger, uid, rule_before);
	size_t all = ledger_devices_under(checking->ledger, rule_before);
	size_t user = ledger_devices_of_user(checking->ledger, uid);
	struct regrant *added;

	if (own <= rule->device_limit && all <= rule->device_total_limit && user <= checking->policy->user_device_limit)
		return;
	added = add(checking, checking->ruled);
	if (!added)
		return;
	if (own > rule->device_limit)
		text_format(added->reason, sizeof added->reason,
			    "the rule \"%s\" (%s:%u) allows %u devices at a time per user, and this user has %zu",
			    rule->name, rule->file, rule->line, rule->device_limit, own);
	else if (all > rule->device_total_limit)
		text_format(
			added->reason, sizeof added->reason,
			"the rule \"%s\" (%s:%u) allows %u devices at a time for all users together, and they have %zu",
			rule->name, rule->file, rule->line, rule->device_total_limit, all);
	else
		text_format(added->reason, sizeof added->reason,
			    "the policy allows %u devices at a time per user under all rules, and this user has %zu",
			    checking->policy->user_device_limit, user);
}

static void check_claim(struct checking *checking)
{
	const struct claim *claim = checking->claim;
	size_t before = checking->out->count;

	for (size_t i = 0; i < claim->device_count; i++)
		if (!claim->device[i].lockout)
			check_device(checking, &claim->device[i].before);
	if (!checking->rule)
		return;
	for (size_t i = 0; i < claim->device_count; i++)
		if (claim->device[i].lockout)
			check_lockout(checking, &claim->device[i].before);
	if (checking->out->count == before)
		check_limits(checking);
}

int regrant_check(const struct policy *policy, const struct topology *topology, const struct ledger *ledger,
		  regrant_subject subject, void *context, struct regrants *out)
{
	struct checking checking = { .policy = policy, .topology = topology, .ledger = ledger, .out = out };

	for (const struct claim *claim = ledger_first(ledger); claim && !checking.error; claim = ledger_next(claim)) {
		if (claim->state != CLAIM_PREPARING && claim->state != CLAIM_OFFERED && claim->state != CLAIM_HELD)
			continue;
		checking.claim = claim;
		checking.rule = NULL;
		checking.ruled = NULL;
		checking.subject = (struct subject){ .uid = claim->uid, .gid = claim->gid };
		subject(context, claim, &checking.subject);
		check_claim(&checking);
	}
	return checking.error;
}

void regrants_done(struct regrants *regrants)
{
	free(regrants->item);
	*regrants = (struct regrants){ .item = NULL };
}
