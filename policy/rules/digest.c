#include "digest.h"

#include "rule_fields.h"

#include "../util/name_table.h"

#include <string.h>

/* Numbers as eight bytes, low first, and texts with their lengths: no two policies are written the same way. */
static uint64_t add_number(uint64_t hash, uint64_t number)
{
	unsigned char bytes[8];

	for (unsigned i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char)(number >> 8 * i);
	return fnv_bytes(hash, bytes, sizeof bytes);
}

static uint64_t add_text(uint64_t hash, const char *text)
{
	size_t length = strlen(text);

	return fnv_bytes(add_number(hash, length), text, length);
}

static uint64_t add_list(uint64_t hash, const struct text_list *list)
{
	hash = add_number(hash, list->count);
	for (size_t i = 0; i < list->count; i++)
		hash = add_text(hash, list->item[i]);
	return hash;
}

static uint64_t add_device(uint64_t hash, const struct device_selector *selector)
{
	for (size_t i = 0; i < SELECTOR_LIST_COUNT; i++)
		hash = add_list(hash, &selector->list[i]);
	return hash;
}

static uint64_t add_subject(uint64_t hash, const struct subject_selector *selector)
{
	hash = add_number(hash, selector->any);
	hash = add_number(hash, selector->uid_count);
	for (size_t i = 0; i < selector->uid_count; i++)
		hash = add_number(hash, selector->uid[i]);
	hash = add_number(hash, selector->gid_count);
	for (size_t i = 0; i < selector->gid_count; i++)
		hash = add_number(hash, selector->gid[i]);
	return add_list(hash, &selector->unit);
}

/* One for each row of RULE_FIELDS. */
static uint64_t add_rule_name(uint64_t hash, const struct rule *rule)
{
	return add_text(hash, rule->name);
}

static uint64_t add_rule_effect(uint64_t hash, const struct rule *rule)
{
	return add_number(hash, rule->effect);
}

static uint64_t add_rule_subject(uint64_t hash, const struct rule *rule)
{
	return add_subject(hash, &rule->subject);
}

static uint64_t add_rule_device(uint64_t hash, const struct rule *rule)
{
	return add_device(hash, &rule->device);
}

static uint64_t add_rule_modes(uint64_t hash, const struct rule *rule)
{
	return add_number(hash, rule->modes);
}

static uint64_t add_rule_lockout(uint64_t hash, const struct rule *rule)
{
	return add_list(add_number(hash, rule->lockout), &rule->lockout_named);
}

static uint64_t add_rule_reset(uint64_t hash, const struct rule *rule)
{
	return add_number(hash, rule->reset);
}

static uint64_t add_rule_restore(uint64_t hash, const struct rule *rule)
{
	return add_number(hash, rule->restore);
}

static uint64_t add_rule_in_use(uint64_t hash, const struct rule *rule)
{
	return add_number(hash, rule->take_in_use);
}

static uint64_t add_rule_unsafe_interrupts(uint64_t hash, const struct rule *rule)
{
	return add_number(hash, rule->accept_unsafe_interrupts);
}

static uint64_t add_rule_limits(uint64_t hash, const struct rule *rule)
{
#define ADD_LIMITS(key, type, counted, member, unset) hash = add_number(hash, rule->member);
	RULE_LIMITS(ADD_LIMITS)
	return hash;
}

static uint64_t add_rule_revoke(uint64_t hash, const struct rule *rule)
{
#define ADD_REVOKE(key, member) hash = add_number(hash, rule->member);
	RULE_REVOKE(ADD_REVOKE)
	return hash;
}

static uint64_t add_rule(uint64_t hash, const struct rule *rule)
{
#define ADD_FIELD(key, required, allowing) hash = add_rule_##key(hash, rule);
	RULE_FIELDS(ADD_FIELD)
	return hash;
}

uint64_t policy_digest(const struct policy *policy)
{
	uint64_t hash = add_number(FNV_START, policy->rule_count);

	for (size_t i = 0; i < policy->rule_count; i++)
		hash = add_rule(hash, &policy->rule[i]);
	hash = add_number(hash, policy->never_count);
	for (size_t i = 0; i < policy->never_count; i++)
		hash = add_text(add_device(hash, &policy->never[i].device), policy->never[i].why);
	hash = add_number(hash, policy->reserve_count);
	for (size_t i = 0; i < policy->reserve_count; i++)
		hash = add_device(hash, &policy->reserve[i].device);
	hash = add_number(hash, policy->pool_count);
	for (size_t i = 0; i < policy->pool_count; i++) {
		hash = add_text(hash, policy->pool[i].name);
		hash = add_number(hash, policy->pool[i].selector_count);
		for (size_t k = 0; k < policy->pool[i].selector_count; k++)
			hash = add_device(hash, &policy->pool[i].selector[k]);
	}
	hash = add_number(hash, policy->user_device_limit);
	return add_subject(hash, &policy->operators);
}
