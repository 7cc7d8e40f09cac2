#include "parse_selector.h"

#include "../util/glob.h"
#include "../util/text.h"

#include <stdlib.h>
#include <string.h>

static bool is_hex(const char *text, size_t digits)
{
	return strspn(text, "0123456789abcdef") >= digits;
}

/* No pattern and no name is longer. Room for a glob that spells out sets, which is longer than what it matches. */
enum { PATTERN_MAX = TEXT_MAX / 2 };

/* The text in lower case, for "write it as". */
static const char *lower(const char *text, char out[static PATTERN_MAX])
{
	text_format(out, PATTERN_MAX, "%s", text);
	for (char *c = out; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	return out;
}

/* How much of a glob has outside its wildcards only characters of this alphabet. */
static size_t has_only(const char *glob, const char *alphabet)
{
	size_t good = 0;

	while (glob[good] && (strchr(alphabet, glob[good]) || strchr("*?[]!-", glob[good])))
		good++;
	return good;
}

/* A glob has to be well formed, and outside its wildcards may only have what such a text can have. */
static bool check_glob(struct parse *parse, const struct json_value *item, const char *text, const char *alphabet,
		       const char *what)
{
	const char *fault = glob_fault(text);
	char form[PATTERN_MAX];
	size_t good, length;
	uint32_t character;

	if (fault) {
		parse_error(parse, item, "the glob '%s' %s", text, fault);
		return false;
	}
	good = has_only(text, alphabet);
	if (!text[good])
		return true;
	length = text_character(text + good, strlen(text + good), &character);
	if (strspn(lower(text, form) + good, alphabet) > 0)
		parse_error(parse, item, "a %s is compared in lower case: write '%s'", what, form);
	else
		parse_error(parse, item, "the glob '%s' matches nothing: no %s contains '%.*s'", text, what,
			    (int)length, text + good);
	return false;
}

/* True for a well-formed glob that names of some kind can match. */
static bool can_match_a_name(const char *glob)
{
	for (uint32_t i = 0; i < device_kind_count && !glob_fault(glob); i++)
		if (has_only(glob, device_kinds[i]->name_alphabet) == strlen(glob))
			return true;
	return false;
}

static bool check_name(struct parse *parse, const struct json_value *item, const char *text)
{
	char form[DEVICE_NAME_MAX];

	if (glob_has_wildcard(text))
		return can_match_a_name(text) ||
		       check_glob(parse, item, text, pci_kind.name_alphabet, "name of a device");
	if (device_name_is_valid(text))
		return true;
	if (device_name_complete(text, form) == 0)
		parse_error(parse, item, "'%s' must be written in full and in lower case: '%s'", text, form);
	else
		parse_error(parse, item, "'%s' is not a device name: write one like '0000:01:00.0', or a glob", text);
	return false;
}

static bool check_address(struct parse *parse, const struct json_value *item, const char *text)
{
	char form[DEVICE_NAME_MAX];

	if (glob_has_wildcard(text))
		return check_glob(parse, item, text, pci_kind.name_alphabet, "PCI address");
	if (pci_address_is_valid(text))
		return true;
	if (pci_address_normalise(text, form) == 0)
		parse_error(parse, item, "'%s' must be written in full and in lower case: '%s'", text, form);
	else
		parse_error(parse, item,
			    "'%s' is not a PCI address: write one like '0000:01:00.0', or a glob like '0000:01:*'",
			    text);
	return false;
}

static bool check_id(struct parse *parse, const struct json_value *item, const char *text)
{
	char form[PATTERN_MAX];

	if (glob_has_wildcard(text))
		return check_glob(parse, item, text, "0123456789abcdef:", "vendor:device id");
	lower(text, form);
	if (strlen(form) != 9 || !is_hex(form, 4) || form[4] != ':' || !is_hex(form + 5, 4))
		parse_error(parse, item,
			    "'%s' is not a vendor:device id: write four hexadecimal digits each, like '8086:10ca'",
			    text);
	else if (strcmp(form, text) != 0)
		parse_error(parse, item, "'%s' must be written in lower case: '%s'", text, form);
	else
		return true;
	return false;
}

static bool check_class(struct parse *parse, const struct json_value *item, const char *text)
{
	char form[PATTERN_MAX];
	size_t length = strlen(text);

	if (glob_has_wildcard(text))
		return check_glob(parse, item, text, "0123456789abcdef", "class code");
	lower(text, form);
	if ((length != 2 && length != 4 && length != 6) || !is_hex(form, length))
		parse_error(parse, item, "'%s' is not a class code: write 2, 4 or 6 hexadecimal digits, like '0106'",
			    text);
	else if (strcmp(form, text) != 0)
		parse_error(parse, item, "'%s' must be written in lower case: '%s'", text, form);
	else
		return true;
	return false;
}

static bool check_driver(struct parse *parse, const struct json_value *item, const char *text)
{
	if (glob_has_wildcard(text))
		return check_glob(parse, item, text,
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.+-", "driver");
	if (driver_name_is_valid(text, true))
		return true;
	parse_error(parse, item, "'%s' is not a driver name", text);
	return false;
}

static bool check_pool(struct parse *parse, const struct json_value *item, const char *text)
{
	if (name_table_find(&parse->pools, text))
		return true;
	parse_error(parse, item, "there is no pool \"%s\": define it in \"pools\", here or in another file", text);
	return false;
}

static bool check_kind(struct parse *parse, const struct json_value *item, const char *text)
{
	char kinds[TEXT_MAX];

	if (device_kind_from_string(text) >= 0)
		return true;
	parse_error(parse, item, "the kind '%s' is not supported by this version: use %s", text,
		    device_kinds_list(kinds, sizeof kinds));
	return false;
}

static bool (*const checks[SELECTOR_LIST_COUNT])(struct parse *parse, const struct json_value *item,
						 const char *text) = {
	[SELECTOR_NAME] = check_name,    [SELECTOR_ADDRESS] = check_address, [SELECTOR_ID] = check_id,
	[SELECTOR_SUBSYSTEM] = check_id, [SELECTOR_CLASS] = check_class,     [SELECTOR_DRIVER] = check_driver,
	[SELECTOR_KIND] = check_kind,    [SELECTOR_PARENT] = check_address,  [SELECTOR_POOL] = check_pool,
};

static void read_list(struct parse *parse, const struct json_value *member, enum selector_list key,
		      struct text_list *list)
{
	struct parse_items items;
	struct json_value item;

	if (!parse_items_start(parse, member, &items))
		return;
	while (parse_items_next(&items, &item)) {
		char number_text[16];
		uint64_t number;
		const char *text;

		if (key == SELECTOR_NUMA_NODE) {
			if (!parse_number(parse, &item, 0, UINT16_MAX, &number))
				continue;
			text = text_format(number_text, sizeof number_text, "%u", (unsigned)number);
		} else {
			text = parse_text(parse, &item, PATTERN_MAX);
			if (!text || !checks[key](parse, &item, text))
				continue;
		}
		parse_list_add(parse, list, text);
	}
}

/* The list of that key; SELECTOR_LIST_COUNT if there is none. */
static enum selector_list find_list(const char *key)
{
	enum selector_list list = 0;

	while (list < SELECTOR_LIST_COUNT && strcmp(selector_list_to_string(list), key) != 0)
		list++;
	return list;
}

void parse_device_selector(struct parse *parse, const struct json_value *value, const char *other_key, bool pools,
			   struct device_selector *out)
{
	struct json_children members = json_value_children(value);
	struct json_value member;
	size_t given = 0;

	if (!parse_is_object(parse, value, "a device selector"))
		return;
	while (json_children_next(&members, &member)) {
		enum selector_list list = find_list(member.key);

		if (other_key && strcmp(member.key, other_key) == 0)
			continue;
		given++;
		if (list == SELECTOR_LIST_COUNT)
			parse_unknown_key(
				parse, &member,
				pools ? "name, address, id, subsystem, class, driver, kind, numa_node, parent, pool"
				      : "name, address, id, subsystem, class, driver, kind, numa_node, parent");
		else if (list == SELECTOR_POOL && !pools)
			parse_key_error(parse, &member, "a pool cannot contain pools: name its devices");
		else
			read_list(parse, &member, list, &out->list[list]);
		parse->has_parents = parse->has_parents || list == SELECTOR_PARENT;
	}
	if (given == 0)
		parse_error(parse, value, "names no devices: give a name, address, id, class, driver%s or kind",
			    pools ? ", pool" : "");
}

const char *parse_full_name(struct parse *parse, const struct json_value *value)
{
	const char *text = parse_text(parse, value, PATTERN_MAX);

	if (!text)
		return NULL;
	if (glob_has_wildcard(text)) {
		parse_error(parse, value, "'%s' is a glob: name the members one by one, like '0000:01:00.0'", text);
		return NULL;
	}
	return check_name(parse, value, text) ? text : NULL;
}

/* The largest id; the one above means "none" in the kernel's calls. */
#define ID_MAX (UINT32_MAX - 1)

static bool id_from_text(const char *text, uint32_t *id)
{
	uint64_t number = 0;

	for (const char *c = text; *c; c++) {
		number = number * 10 + (uint64_t)(*c - '0');
		if (number > ID_MAX)
			return false;
	}
	*id = (uint32_t)number;
	return true;
}

/* A user or group: a number, a text that is one, or a name that this machine knows. */
static bool read_id(struct parse *parse, const struct json_value *item, bool user, uint32_t *id)
{
	const char *what = user ? "user" : "group", *text;
	int found = -1;
	uint64_t number;

	if (json_object_is_type(item->object, json_type_int) || json_object_is_type(item->object, json_type_double)) {
		if (!parse_number(parse, item, 0, ID_MAX, &number))
			return false;
		*id = (uint32_t)number;
		return true;
	}
	text = parse_text(parse, item, PATTERN_MAX);
	if (!text)
		return false;
	if (text[0] && text[strspn(text, "0123456789")] == '\0') {
		if (id_from_text(text, id))
			return true;
		parse_error(parse, item, "'%s' is out of range: a %s number is at most %u", text, what, ID_MAX);
		return false;
	}
	if (text[0] && parse->names)
		found = user ? parse->names->user(parse->names->context, text, id)
			     : parse->names->group(parse->names->context, text, id);
	if (found == 0)
		return true;
	parse_error(parse, item, "there is no %s '%s' on this machine: create it, correct the name or write a number",
		    what, text);
	return false;
}

static void read_ids(struct parse *parse, const struct json_value *member, bool user, uint32_t **ids, size_t *count)
{
	struct parse_items items;
	struct json_value item;

	if (!parse_items_start(parse, member, &items))
		return;
	while (parse_items_next(&items, &item)) {
		uint32_t id, *larger;
		size_t same = 0;

		if (!read_id(parse, &item, user, &id))
			continue;
		while (same < *count && (*ids)[same] != id)
			same++;
		if (same < *count) {
			parse_warning(parse, &item, "the %s with number %u is already in this list",
				      user ? "user" : "group", id);
			continue;
		}
		larger = reallocarray(*ids, *count + 1, sizeof *larger);
		if (!larger) {
			parse->out_of_memory = true;
			return;
		}
		*ids = larger;
		larger[(*count)++] = id;
	}
}

static void read_units(struct parse *parse, const struct json_value *member, struct text_list *list)
{
	struct parse_items items;
	struct json_value item;

	if (!parse_items_start(parse, member, &items))
		return;
	while (parse_items_next(&items, &item)) {
		const char *text = parse_text(parse, &item, PATTERN_MAX), *fault = text ? glob_fault(text) : NULL;

		if (text && fault)
			parse_error(parse, &item, "the glob '%s' %s", text, fault);
		else if (text && !text[0])
			parse_error(parse, &item, "is empty: no unit has this name");
		else if (text)
			parse_list_add(parse, list, text);
	}
}

void parse_subject_selector(struct parse *parse, const struct json_value *value, struct subject_selector *out)
{
	struct json_children members = json_value_children(value);
	struct json_value member;

	if (!parse_is_object(parse, value, "a subject selector"))
		return;
	if (json_object_object_length(value->object) == 0) {
		parse_error(parse, value, "names no subjects: give a user, group or unit, or omit it");
		return;
	}
	while (json_children_next(&members, &member)) {
		if (strcmp(member.key, "user") == 0)
			read_ids(parse, &member, true, &out->uid, &out->uid_count);
		else if (strcmp(member.key, "group") == 0)
			read_ids(parse, &member, false, &out->gid, &out->gid_count);
		else if (strcmp(member.key, "unit") == 0)
			read_units(parse, &member, &out->unit);
		else
			parse_unknown_key(parse, &member, "user, group, unit");
	}
}
