#include "parse_rule.h"

#include "rule_fields.h"

#include "../util/glob.h"
#include "../util/text.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static void read_name(struct parse *parse, const struct json_value *value, struct rule *rule)
{
	const char *text = parse_text(parse, value, sizeof rule->name);

	if (text && !text[0])
		parse_error(parse, value, "is empty: refusals and records quote a rule by its name");
	else if (text)
		text_format(rule->name, sizeof rule->name, "%s", text);
}

static int effect_from_string(const char *text)
{
	return strcmp(text, "allow") == 0 ? RULE_ALLOW : strcmp(text, "deny") == 0 ? RULE_DENY : -EINVAL;
}

static void read_effect(struct parse *parse, const struct json_value *value, struct rule *rule)
{
	int effect;

	if (parse_word(parse, value, effect_from_string, "\"allow\", \"deny\"", &effect))
		rule->effect = (enum rule_effect)effect;
}

static void read_subject(struct parse *parse, const struct json_value *value, struct rule *rule)
{
	rule->subject.any = false;
	parse_subject_selector(parse, value, &rule->subject);
}

static void read_device(struct parse *parse, const struct json_value *value, struct rule *rule)
{
	parse_device_selector(parse, value, NULL, true, &rule->device);
}

static void read_lockout_named(struct parse *parse, const struct json_value *value, struct rule *rule)
{
	struct json_children members = json_value_children(value);
	struct json_value member, item;
	struct parse_items items;

	rule->lockout = LOCKOUT_NAMED;
	if (json_object_object_length(value->object) == 0)
		parse_error(parse, value,
			    "names no members: write {\"named\": [\"0000:01:00.0\"]}, \"unused\" or \"none\"");
	while (json_children_next(&members, &member)) {
		if (strcmp(member.key, "named") != 0) {
			parse_unknown_key(parse, &member, "named");
			continue;
		}
		if (!parse_items_start(parse, &member, &items))
			continue;
		while (parse_items_next(&items, &item)) {
			const char *address = parse_full_name(parse, &item);

			if (address)
				parse_list_add(parse, &rule->lockout_named, address);
		}
	}
}

static int lockout_from_string(const char *text)
{
	return strcmp(text, "none") == 0 ? LOCKOUT_NONE : strcmp(text, "unused") == 0 ? LOCKOUT_UNUSED : -EINVAL;
}

static void read_lockout(struct parse *parse, const struct json_value *value, struct rule *rule)
{
	int lockout;

	if (json_object_is_type(value->object, json_type_object))
		read_lockout_named(parse, value, rule);
	else if (parse_word(parse, value, lockout_from_string, "\"none\", \"unused\", {\"named\": [...]}", &lockout))
		rule->lockout = (enum lockout_permission)lockout;
}

static void read_modes(struct parse *parse, const struct json_value *value, struct rule *rule)
{
	struct parse_items items;
	struct json_value item;

	rule->modes = 0;
	if (!parse_items_start(parse, value, &items))
		return;
	while (parse_items_next(&items, &item)) {
		int mode;

		if (parse_word(parse, &item, delivery_mode_from_string,
			       "\"attached\", \"open\", \"node\", \"brokered\"", &mode))
			rule->modes |= 1u << mode;
	}
}

/* Digits and at most one of K, M, G, T. False where it is something else or does not fit. */
static bool size_from_text(const char *text, uint64_t *bytes)
{
	static const char suffixes[] = "KMGT";
	size_t digits = strspn(text, "0123456789");
	const char *suffix = text[digits] ? strchr(suffixes, text[digits]) : NULL;
	unsigned shift = suffix ? 10 * (unsigned)(suffix - suffixes + 1) : 0;
	uint64_t number = 0;

	if (digits == 0 || (text[digits] && (!suffix || text[digits + 1])))
		return false;
	for (size_t i = 0; i < digits; i++) {
		if (number > UINT64_MAX / 20)
			return false;
		number = number * 10 + (uint64_t)(text[i] - '0');
	}
	if (number == 0 || number >= UINT64_MAX >> shift)
		return false;
	*bytes = number << shift;
	return true;
}

static void read_size(struct parse *parse, const struct json_value *value, uint64_t *out)
{
	const char *text;

	if (json_object_is_type(value->object, json_type_int) || json_object_is_type(value->object, json_type_double)) {
		parse_number(parse, value, 1, INT64_MAX - 1, out);
		return;
	}
	text = parse_text(parse, value, 64);
	if (text && strcmp(text, "unlimited") == 0)
		*out = UINT64_MAX;
	else if (text && !size_from_text(text, out))
		parse_error(parse, value,
			    "'%s' is not a size: write bytes, or a number with K, M, G or T, or \"unlimited\"", text);
}

enum { DEVICES = 1, SIZE, COUNT };

#define LIMIT(key, type, counted, member, unset) { #key, type, counted, offsetof(struct rule, member) },
static const struct limit {
	const char *name;
	int type;
	bool counted;
	size_t offset;
} limits[] = { RULE_LIMITS(LIMIT) };
enum { LIMIT_COUNT = sizeof limits / sizeof *limits };

/* The keys of a table as messages list them: KEYS_OF(TABLE) points behind the first comma. */
#define KEY(key, ...) ", " #key
#define KEYS_OF(table) (&(table(KEY))[2])

static const struct limit *find_limit(const char *name)
{
	for (size_t i = 0; i < LIMIT_COUNT; i++)
		if (strcmp(limits[i].name, name) == 0)
			return &limits[i];
	return NULL;
}

static void read_limits(struct parse *parse, const struct json_value *value, struct rule *rule)
{
	struct json_children members = json_value_children(value);
	struct json_value member;

	if (!parse_is_object(parse, value, "limits"))
		return;
	while (json_children_next(&members, &member)) {
		const struct limit *limit = find_limit(member.key);
		void *field = limit ? (char *)rule + limit->offset : NULL;

		if (!limit)
			parse_unknown_key(parse, &member, KEYS_OF(RULE_LIMITS));
		else if (limit->type == DEVICES)
			parse_device_limit(parse, &member, field);
		else if (limit->type == SIZE)
			read_size(parse, &member, field);
		else
			parse_number(parse, &member, 1, UINT32_MAX - 1, field);
	}
}

static void read_reset(struct parse *parse, const struct json_value *value, struct rule *rule)
{
	int demand;

	if (parse_word(parse, value, reset_demand_from_string, "\"require\", \"try\", \"skip\"", &demand))
		rule->reset = (enum reset_demand)demand;
}

static void read_restore(struct parse *parse, const struct json_value *value, struct rule *rule)
{
	parse_boolean(parse, value, &rule->restore);
}

static int in_use_from_string(const char *text)
{
	return strcmp(text, "refuse") == 0 ? 0 : strcmp(text, "take") == 0 ? 1 : -EINVAL;
}

static void read_in_use(struct parse *parse, const struct json_value *value, struct rule *rule)
{
	int take;

	if (parse_word(parse, value, in_use_from_string, "\"refuse\", \"take\"", &take))
		rule->take_in_use = take == 1;
}

static int unsafe_interrupts_from_string(const char *text)
{
	return strcmp(text, "refuse") == 0 ? 0 : strcmp(text, "accept") == 0 ? 1 : -EINVAL;
}

static void read_unsafe_interrupts(struct parse *parse, const struct json_value *value, struct rule *rule)
{
	int accept;

	if (parse_word(parse, value, unsafe_interrupts_from_string, "\"refuse\", \"accept\"", &accept))
		rule->accept_unsafe_interrupts = accept == 1;
}

/* Digits and one of ms, s, m, h; at most a day. False where it is something else. */
static bool time_from_text(const char *text, uint64_t *usec)
{
	static const struct {
		const char *unit;
		uint64_t usec;
	} units[] = { { "ms", 1000 }, { "s", 1000000 }, { "m", 60 * 1000000ull }, { "h", 3600 * 1000000ull } };
	size_t digits = strspn(text, "0123456789");
	uint64_t number = 0;

	for (size_t i = 0; i < digits; i++) {
		if (number > REVOKE_GRACE_MAX_USEC)
			return false;
		number = number * 10 + (uint64_t)(text[i] - '0');
	}
	for (size_t i = 0; digits > 0 && i < sizeof units / sizeof *units; i++) {
		if (strcmp(text + digits, units[i].unit) != 0 || number > REVOKE_GRACE_MAX_USEC / units[i].usec)
			continue;
		*usec = number * units[i].usec;
		return true;
	}
	return false;
}

static void read_grace(struct parse *parse, const struct json_value *value, struct rule *rule)
{
	const char *text = parse_text(parse, value, 64);

	if (text && !time_from_text(text, &rule->revoke_grace_usec))
		parse_error(
			parse, value,
			"'%s' is not a time of at most 24 hours: write a number with ms, s, m or h, such as \"30s\"",
			text);
}

static void read_stop(struct parse *parse, const struct json_value *value, struct rule *rule)
{
	int stop;

	if (parse_word(parse, value, revoke_stop_from_string, "\"nothing\", \"process\", \"unit\"", &stop))
		rule->revoke_stop = (enum revoke_stop)stop;
}

typedef void (*read_field)(struct parse *parse, const struct json_value *value, struct rule *rule);

static void read_revoke(struct parse *parse, const struct json_value *value, struct rule *rule)
{
#define REVOKE(key, member) { #key, read_##key },
	static const struct {
		const char *name;
		read_field read;
	} keys[] = { RULE_REVOKE(REVOKE) };
	enum { COUNT_OF_KEYS = sizeof keys / sizeof *keys };
	struct json_children members = json_value_children(value);
	struct json_value member;

	if (!parse_is_object(parse, value, "revocation settings"))
		return;
	while (json_children_next(&members, &member)) {
		size_t i = 0;

		while (i < COUNT_OF_KEYS && strcmp(keys[i].name, member.key) != 0)
			i++;
		if (i < COUNT_OF_KEYS)
			keys[i].read(parse, &member, rule);
		else
			parse_unknown_key(parse, &member, KEYS_OF(RULE_REVOKE));
	}
}

#define FIELD(key, required, allowing) { #key, required, allowing, read_##key },
static const struct {
	const char *name;
	bool required, allowing;
	read_field read;
} rule_keys[] = { RULE_FIELDS(FIELD) };
enum { RULE_KEY_COUNT = sizeof rule_keys / sizeof *rule_keys };

/* The index of a key, or RULE_KEY_COUNT. */
static size_t find_key(const char *name)
{
	size_t i = 0;

	while (i < RULE_KEY_COUNT && strcmp(rule_keys[i].name, name) != 0)
		i++;
	return i;
}

/* Limits on what the broker can't count, or that contradict each other. */
static void check_limits(struct parse *parse, const struct json_value *value, const struct rule *rule)
{
	struct json_children members;
	struct json_value all, member;

	if (!json_value_member(value, "limits", &all))
		return;
	members = json_value_children(&all);
	while (json_children_next(&members, &member)) {
		const struct limit *limit = find_limit(member.key);

		if (limit && limit->counted && rule->modes != 1u << MODE_BROKERED)
			parse_key_error(parse, &member,
					"\"%s\" cannot be limited: the broker can count mappings only in the mode "
					"\"brokered\", where it makes them itself, and this rule allows other modes",
					member.key);
		if (strcmp(member.key, "devices_total") == 0 && rule->device_limit != UINT32_MAX &&
		    rule->device_total_limit < rule->device_limit)
			parse_key_warning(
				parse, &member,
				"the limit for all users is lower than \"devices\" for one user: the lower limit "
				"applies");
	}
}

/* What can only be said of the rule as a whole. */
static void check_rule(struct parse *parse, const struct json_value *value, const struct rule *rule)
{
	const struct text_list *names = &rule->device.list[SELECTOR_NAME];
	const struct text_list *addresses = &rule->device.list[SELECTOR_ADDRESS];
	struct json_children members = json_value_children(value);
	struct json_value member;
	bool literal = rule->lockout_named.count > 0;

	while (rule->effect == RULE_DENY && json_children_next(&members, &member)) {
		size_t key = find_key(member.key);

		if (key < RULE_KEY_COUNT && rule_keys[key].allowing)
			parse_key_error(parse, &member, "a deny rule grants nothing: remove \"%s\"", member.key);
	}
	if (rule->effect == RULE_ALLOW)
		check_limits(parse, value, rule);
	if (rule->effect == RULE_DENY && rule->subject.unit.count > 0 && json_value_member(value, "subject", &member))
		parse_warning(parse, &member,
			      "a client whose unit is unknown (before Linux 6.5, or not started by systemd) does not "
			      "match: later rules decide");
	for (size_t i = 0; i < names->count; i++)
		literal = literal || !glob_has_wildcard(names->item[i]);
	for (size_t i = 0; i < addresses->count; i++)
		literal = literal || !glob_has_wildcard(addresses->item[i]);
	if (rule->take_in_use && !literal && json_value_member(value, "in_use", &member))
		parse_warning(
			parse, &member,
			"takes effect only for devices that the rule names in full, by name or address, and it names none");
}

void parse_rule(struct parse *parse, const struct json_value *value, struct rule *out)
{
	struct json_children members = json_value_children(value);
	bool seen[RULE_KEY_COUNT] = { false };
	struct json_value member;

	out->subject.any = true;
	out->modes = 1u << MODE_ATTACHED;
#define UNSET(key, type, counted, member, unset) out->member = unset;
	RULE_LIMITS(UNSET)
	out->restore = true;
	out->revoke_grace_usec = REVOKE_GRACE_USEC;
	out->file = parse_copy(parse, parse->file);
	json_value_position(value, false, &out->line, &out->column);
	if (!parse_is_object(parse, value, "a rule"))
		return;
	while (json_children_next(&members, &member)) {
		size_t key = find_key(member.key);

		if (key == RULE_KEY_COUNT) {
			parse_unknown_key(parse, &member, KEYS_OF(RULE_FIELDS));
			continue;
		}
		seen[key] = true;
		rule_keys[key].read(parse, &member, out);
	}
	for (size_t i = 0; i < RULE_KEY_COUNT; i++)
		if (rule_keys[i].required && !seen[i])
			parse_error(parse, value, "missing \"%s\": every rule needs one", rule_keys[i].name);
	check_rule(parse, value, out);
}
