#include "rule_json.h"

#include "../rules/rule_fields.h"
#include "../util/json_write.h"
#include "../util/text.h"

#include <stdio.h>
#include <string.h>

enum { LINE_SIZE = 1024 };

static const char *list_word(enum selector_list list)
{
	switch (list) {
	case SELECTOR_NAME:
	case SELECTOR_ADDRESS:
		return "";
	case SELECTOR_ID:
		return "id ";
	case SELECTOR_SUBSYSTEM:
		return "subsystem ";
	case SELECTOR_CLASS:
		return "class ";
	case SELECTOR_DRIVER:
		return "driver ";
	case SELECTOR_KIND:
		return "kind ";
	case SELECTOR_NUMA_NODE:
		return "NUMA node ";
	case SELECTOR_PARENT:
		return "below ";
	case SELECTOR_POOL:
		return "pool ";
	case SELECTOR_LIST_COUNT:
		break;
	}
	return "";
}

static void append_list(char *out, const struct text_list *list, const char *between)
{
	for (size_t i = 0; i < list->count; i++)
		text_append(out, LINE_SIZE, "%s%s", i ? between : "", list->item[i][0] ? list->item[i] : "none");
}

/* "id 1234:11e8 or 1234:11e9, driver none" */
static const char *what_text(const struct device_selector *selector, char out[static LINE_SIZE])
{
	bool first = true;

	out[0] = '\0';
	for (unsigned list = 0; list < SELECTOR_LIST_COUNT; list++) {
		if (selector->list[list].count == 0)
			continue;
		text_append(out, LINE_SIZE, "%s%s", first ? "" : ", ", list_word((enum selector_list)list));
		append_list(out, &selector->list[list], " or ");
		first = false;
	}
	return out;
}

static void append_devices(char *out, const struct rule *rule)
{
	if (rule->device_limit != UINT32_MAX)
		text_append(out, LINE_SIZE, "; at most %u a user", rule->device_limit);
}

static void append_devices_total(char *out, const struct rule *rule)
{
	if (rule->device_total_limit != UINT32_MAX)
		text_append(out, LINE_SIZE, "; at most %u for all users", rule->device_total_limit);
}

static void append_memlock(char *out, const struct rule *rule)
{
	if (rule->memlock == UINT64_MAX)
		text_append(out, LINE_SIZE, "; memlock without limit");
	else if (rule->memlock > 0)
		text_append(out, LINE_SIZE, "; memlock %llu MiB", (unsigned long long)(rule->memlock >> 20));
}

static void append_claim_limit(char *out, uint64_t limit, const char *what)
{
	if (limit != UINT64_MAX)
		text_append(out, LINE_SIZE, "; at most %llu %s a claim", (unsigned long long)limit, what);
}

static void append_ioasids(char *out, const struct rule *rule)
{
	append_claim_limit(out, rule->ioasid_limit, "address spaces");
}

static void append_bytes(char *out, const struct rule *rule)
{
	append_claim_limit(out, rule->byte_limit, "mapped bytes");
}

static void append_pasids(char *out, const struct rule *rule)
{
	append_claim_limit(out, rule->pasid_limit, "PASIDs");
}

static void append_limits(char *out, const struct rule *rule)
{
#define APPEND_LIMIT(key, type, counted, member, unset) append_##key(out, rule);
	RULE_LIMITS(APPEND_LIMIT)
}

/* Only what differs from what is usual. */
static void append_grace(char *out, const struct rule *rule)
{
	uint64_t milliseconds = rule->revoke_grace_usec / 1000;

	if (milliseconds % 1000 != 0)
		text_append(out, LINE_SIZE, "; %llu ms to release when revoked", (unsigned long long)milliseconds);
	else if (rule->revoke_grace_usec != REVOKE_GRACE_USEC)
		text_append(out, LINE_SIZE, "; %llu s to release when revoked",
			    (unsigned long long)(milliseconds / 1000));
}

static void append_stop(char *out, const struct rule *rule)
{
	if (rule->revoke_stop != REVOKE_STOP_NOTHING)
		text_append(out, LINE_SIZE, "; then the %s is stopped", revoke_stop_to_string(rule->revoke_stop));
}

static void append_revoke(char *out, const struct rule *rule)
{
#define APPEND_REVOKE(key, member) append_##key(out, rule);
	RULE_REVOKE(APPEND_REVOKE)
}

static void append_modes(char *out, const struct rule *rule)
{
	bool first = true;

	for (unsigned mode = 0; mode < DELIVERY_MODE_COUNT; mode++) {
		if (!(rule->modes & 1u << mode))
			continue;
		text_append(out, LINE_SIZE, "%s%s", first ? "" : ", ",
			    delivery_mode_to_string((enum delivery_mode)mode));
		first = false;
	}
}

static void append_lockout(char *out, const struct rule *rule)
{
	if (rule->lockout == LOCKOUT_NONE) {
		text_append(out, LINE_SIZE, "; locks out nothing");
	} else if (rule->lockout == LOCKOUT_UNUSED) {
		text_append(out, LINE_SIZE, "; locks out unused members");
	} else {
		text_append(out, LINE_SIZE, "; locks out ");
		append_list(out, &rule->lockout_named, ", ");
	}
}

static void append_reset(char *out, const struct rule *rule)
{
	text_append(out, LINE_SIZE, "; reset %s", reset_demand_to_string(rule->reset));
}

static void append_restore(char *out, const struct rule *rule)
{
	if (!rule->restore)
		text_append(out, LINE_SIZE, "; drivers are not restored");
}

static void append_in_use(char *out, const struct rule *rule)
{
	if (rule->take_in_use)
		text_append(out, LINE_SIZE, "; takes named devices in use");
}

static void append_unsafe_interrupts(char *out, const struct rule *rule)
{
	if (rule->accept_unsafe_interrupts)
		text_append(out, LINE_SIZE, "; accepts unsafe interrupts");
}

/* The report has members of their own for these. */
static void append_name(char *out, const struct rule *rule)
{
}

static void append_effect(char *out, const struct rule *rule)
{
}

static void append_subject(char *out, const struct rule *rule)
{
}

static void append_device(char *out, const struct rule *rule)
{
}

/* "attached, open; locks out unused members; reset require; at most 2 a user" */
static const char *how_text(const struct rule *rule, char out[static LINE_SIZE])
{
	out[0] = '\0';
	if (rule->effect == RULE_DENY)
		return text_format(out, LINE_SIZE, "refused");
#define APPEND_FIELD(key, required, allowing) append_##key(out, rule);
	RULE_FIELDS(APPEND_FIELD)
	return out;
}

static void put(struct json_object *object, const char *key, const char *text)
{
	json_set(object, key, json_make_string(text));
}

static void put_numbers(struct json_object *object, const char *key, const uint32_t *number, size_t count)
{
	struct json_object *array = json_make_array();

	for (size_t i = 0; i < count; i++)
		json_add(array, json_make_number(number[i]));
	json_set(object, key, array);
}

static struct json_object *rule_json(const struct rule *rule)
{
	struct json_object *object = json_make_object(), *units = json_make_array();
	const struct subject_selector *subject = &rule->subject;
	char line[LINE_SIZE];

	for (size_t i = 0; i < subject->unit.count; i++)
		json_add(units, json_make_string(subject->unit.item[i]));
	put(object, "name", rule->name);
	put(object, "effect", rule->effect == RULE_ALLOW ? "allow" : "deny");
	put(object, "file", rule->file);
	json_set(object, "line", json_make_number(rule->line));
	json_set(object, "everybody", json_make_truth(subject->any));
	put_numbers(object, "users", subject->uid, subject->uid_count);
	put_numbers(object, "groups", subject->gid, subject->gid_count);
	json_set(object, "units", units);
	put(object, "what", what_text(&rule->device, line));
	put(object, "how", how_text(rule, line));
	return object;
}

/* True if the rule could be his from some unit. */
static bool could_apply(const struct rule *rule, const struct subject *reader)
{
	struct subject_selector selector = rule->subject;

	selector.unit.count = 0;
	return selector.uid_count + selector.gid_count == 0 || subject_selector_matches(&selector, reader);
}

struct json_object *rule_json_policy(const struct policy *policy, const struct subject *reader)
{
	struct json_object *object = json_make_object(), *files = json_make_array();
	struct json_object *rules = json_make_array(), *never = json_make_array();
	char line[LINE_SIZE], digest[24];
	size_t told = 0;

	for (size_t i = 0; i < policy->file_count; i++)
		json_add(files, json_make_string(policy->file[i]));
	for (size_t i = 0; i < policy->rule_count; i++) {
		if (reader && !could_apply(&policy->rule[i], reader))
			continue;
		json_add(rules, rule_json(&policy->rule[i]));
		told++;
	}
	for (size_t i = 0; i < policy->never_count; i++) {
		struct json_object *entry = json_make_object();

		put(entry, "what", what_text(&policy->never[i].device, line));
		put(entry, "why", policy->never[i].why);
		put(entry, "file", policy->never[i].file);
		json_set(entry, "line", json_make_number(policy->never[i].line));
		json_add(never, entry);
	}
	snprintf(digest, sizeof digest, "%016llx", (unsigned long long)policy->digest);
	json_set(object, "files", files);
	json_set(object, "rules", rules);
	put(object, "digest", digest);
	json_set(object, "never", never);
	json_set(object, "hidden", json_make_number((int64_t)(policy->rule_count - told)));
	return object;
}
