#include "policy.h"

#include "../util/json_text.h"
#include "../util/name_table.h"
#include "lint.h"
#include "digest.h"
#include "parse_rule.h"
#include "../util/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One file while it is read. */
struct file {
	struct json_text *text;
	struct json_value root;
};

struct reading {
	struct parse parse;
	struct policy *policy;
	struct name_table rules; /* struct rule by its name, over all files */
	struct file *file;
	size_t count;
	const char *operators_file; /* where "operators" stands; NULL: nowhere yet */
	unsigned operators_line;
	const char *user_limits_file; /* the same of "user_limits" */
	unsigned user_limits_line;
};

/* Parses the JSON of one file; what is wrong is reported. */
static void read_text(struct reading *reading, const struct policy_source *source, struct file *out)
{
	struct diagnostics *diagnostics = reading->parse.diagnostics;
	struct json_problem problem;
	int error;

	if (source->length > POLICY_FILE_MAX) {
		diagnostics_add(diagnostics, true, source->path, 0, 0, "is larger than %d bytes: split it",
				POLICY_FILE_MAX);
		return;
	}
	if (source->length == 0) {
		diagnostics_add(diagnostics, true, source->path, 0, 0,
				"is empty: write {} for a policy without rules, or remove the file");
		return;
	}
	error = json_text_new(source->text, source->length, POLICY_DEPTH_MAX, &out->text, &problem);
	if (error == -ENOMEM)
		reading->parse.out_of_memory = true;
	else if (error < 0)
		diagnostics_add(diagnostics, true, source->path, problem.line, problem.column, "%s", problem.message);
	else
		out->root = json_text_root(out->text);
}

/* How many items the lists of that key have in all files, which is the most that can come of them. */
static size_t count_items(const struct reading *reading, const char *key)
{
	struct json_value list;
	size_t count = 0;

	for (size_t i = 0; i < reading->count; i++) {
		if (!json_value_member(&reading->file[i].root, key, &list))
			continue;
		if (json_object_is_type(list.object, json_type_array))
			count += json_object_array_length(list.object);
		else if (json_object_is_type(list.object, json_type_object))
			count += (size_t)json_object_object_length(list.object);
	}
	return count;
}

/* An array of zeroed elements for all files; its elements stay where they are from then on. */
static void *make_array(struct reading *reading, const char *key, size_t size)
{
	void *array = calloc(count_items(reading, key) + 1, size);

	if (!array)
		reading->parse.out_of_memory = true;
	return array;
}

static void read_pool(struct reading *reading, const struct json_value *value)
{
	struct policy *policy = reading->policy;
	struct json_children items = json_value_children(value);
	struct json_value item;
	struct pool *pool;
	size_t length = strlen(value->key);

	if (length == 0 || length >= sizeof pool->name || !text_is_printable(value->key, length + 1)) {
		parse_key_error(&reading->parse, value, "the name of a pool must have 1 to %zu bytes, all printable",
				sizeof pool->name - 1);
		return;
	}
	if (name_table_find(&reading->parse.pools, value->key)) {
		parse_key_error(&reading->parse, value, "the pool \"%s\" is already defined in another file",
				value->key);
		return;
	}
	if (!parse_is_array(&reading->parse, value, "a list of device selectors"))
		return;
	pool = &policy->pool[policy->pool_count++];
	text_format(pool->name, sizeof pool->name, "%s", value->key);
	if (json_object_array_length(value->object) == 0)
		parse_error(&reading->parse, value, "is an empty list: a pool needs devices");
	pool->selector = calloc(json_object_array_length(value->object) + 1, sizeof *pool->selector);
	if (!pool->selector || name_table_add(&reading->parse.pools, pool->name, pool) < 0) {
		reading->parse.out_of_memory = true;
		return;
	}
	while (json_children_next(&items, &item))
		parse_device_selector(&reading->parse, &item, NULL, false, &pool->selector[pool->selector_count++]);
}

static void read_pools(struct reading *reading, const struct json_value *value)
{
	struct json_children pools = json_value_children(value);
	struct json_value pool;

	if (!parse_is_object(&reading->parse, value, "pools by their names"))
		return;
	while (json_children_next(&pools, &pool))
		read_pool(reading, &pool);
}

static void read_rules(struct reading *reading, const struct json_value *value)
{
	struct policy *policy = reading->policy;
	struct json_children items = json_value_children(value);
	struct json_value item, name;

	if (!parse_is_array(&reading->parse, value, "a list of rules"))
		return;
	while (json_children_next(&items, &item)) {
		struct rule *rule = &policy->rule[policy->rule_count++];
		const struct rule *other;

		parse_rule(&reading->parse, &item, rule);
		if (!rule->name[0] || !json_value_member(&item, "name", &name))
			continue;
		other = name_table_find(&reading->rules, rule->name);
		if (other)
			parse_error(&reading->parse, &name, "the rule at %s:%u already has the name \"%s\"",
				    other->file, other->line, rule->name);
		else if (name_table_add(&reading->rules, rule->name, rule) < 0)
			reading->parse.out_of_memory = true;
	}
}

static void read_never(struct reading *reading, const struct json_value *value)
{
	struct policy *policy = reading->policy;
	struct json_children items = json_value_children(value);
	struct json_value item, why;

	if (!parse_is_array(&reading->parse, value, "a list of device selectors"))
		return;
	while (json_children_next(&items, &item)) {
		struct never_entry *entry = &policy->never[policy->never_count++];
		unsigned column;
		const char *text;

		entry->file = parse_copy(&reading->parse, reading->parse.file);
		json_value_position(&item, false, &entry->line, &column);
		parse_device_selector(&reading->parse, &item, "why", true, &entry->device);
		if (!json_value_member(&item, "why", &why))
			continue;
		text = parse_text(&reading->parse, &why, sizeof entry->why);
		if (text)
			text_format(entry->why, sizeof entry->why, "%s", text);
	}
}

static void read_reserve(struct reading *reading, const struct json_value *value)
{
	struct policy *policy = reading->policy;
	struct json_children items = json_value_children(value);
	struct json_value item;

	if (!parse_is_array(&reading->parse, value, "a list of device selectors"))
		return;
	while (json_children_next(&items, &item)) {
		struct reserve_entry *entry = &policy->reserve[policy->reserve_count++];

		entry->file = parse_copy(&reading->parse, reading->parse.file);
		json_value_position(&item, false, &entry->line, &entry->column);
		parse_device_selector(&reading->parse, &item, NULL, true, &entry->device);
	}
}

static void read_operators(struct reading *reading, const struct json_value *value)
{
	unsigned column;

	/* Each of several would name some, but one selector for all would have to be met by everybody. */
	if (reading->operators_file) {
		parse_error(&reading->parse, value, "operators are already named in %s:%u: name all of them there",
			    reading->operators_file, reading->operators_line);
		return;
	}
	reading->operators_file = reading->parse.file;
	json_value_position(value, false, &reading->operators_line, &column);
	parse_subject_selector(&reading->parse, value, &reading->policy->operators);
}

static void read_user_limits(struct reading *reading, const struct json_value *value)
{
	struct json_children members = json_value_children(value);
	struct json_value member;
	unsigned column;

	if (reading->user_limits_file) {
		parse_error(&reading->parse, value, "user_limits is already set in %s:%u: set all limits there",
			    reading->user_limits_file, reading->user_limits_line);
		return;
	}
	reading->user_limits_file = reading->parse.file;
	json_value_position(value, false, &reading->user_limits_line, &column);
	if (!parse_is_object(&reading->parse, value, "limits"))
		return;
	while (json_children_next(&members, &member)) {
		if (strcmp(member.key, "devices") == 0)
			parse_device_limit(&reading->parse, &member, &reading->policy->user_device_limit);
		else
			parse_unknown_key(&reading->parse, &member, "devices");
	}
}

/* For editors. */
static void read_schema(struct reading *reading, const struct json_value *value)
{
	parse_text(&reading->parse, value, POLICY_FILE_MAX);
}

static const struct {
	const char *name;
	void (*read)(struct reading *reading, const struct json_value *value);
	bool first; /* read before anything that names pools */
} top_keys[] = {
	{ "pools", read_pools, true },          { "rules", read_rules, false },
	{ "reserve", read_reserve, false },     { "never", read_never, false },
	{ "operators", read_operators, false }, { "user_limits", read_user_limits, false },
	{ "$schema", read_schema, false },
};

static void read_top(struct reading *reading, const struct file *file, bool first)
{
	struct json_children members = json_value_children(&file->root);
	struct json_value member;

	if (!json_object_is_type(file->root.object, json_type_object)) {
		if (first)
			parse_is_object(&reading->parse, &file->root, "a policy");
		return;
	}
	while (json_children_next(&members, &member)) {
		size_t i = 0, count = sizeof top_keys / sizeof *top_keys;

		while (i < count && strcmp(top_keys[i].name, member.key) != 0)
			i++;
		if (i < count && top_keys[i].first == first)
			top_keys[i].read(reading, &member);
		else if (i == count && first)
			parse_unknown_key(&reading->parse, &member,
					  "rules, pools, reserve, never, operators, user_limits");
	}
}

static int pool_order(const void *a, const void *b)
{
	return strcmp(((const struct pool *)a)->name, ((const struct pool *)b)->name);
}

/* Reads all files into the policy; what went wrong is in diagnostics and parse.out_of_memory. */
static void read_all(struct reading *reading, const struct policy_source *source)
{
	struct policy *policy = reading->policy;
	size_t errors = reading->parse.diagnostics->errors;

	for (size_t i = 0; i < reading->count; i++)
		read_text(reading, &source[i], &reading->file[i]);
	/* A file that can't be read would make its pools look unknown to the others. */
	if (reading->parse.diagnostics->errors > errors || reading->parse.out_of_memory)
		return;
	policy->user_device_limit = UINT32_MAX;
	policy->rule = make_array(reading, "rules", sizeof *policy->rule);
	policy->never = make_array(reading, "never", sizeof *policy->never);
	policy->reserve = make_array(reading, "reserve", sizeof *policy->reserve);
	policy->pool = make_array(reading, "pools", sizeof *policy->pool);
	policy->file = calloc(reading->count + 1, sizeof *policy->file);
	if (reading->parse.out_of_memory || !policy->file) {
		reading->parse.out_of_memory = true;
		return;
	}
	for (int first = 1; first >= 0; first--) {
		for (size_t i = 0; i < reading->count; i++) {
			reading->parse.file = source[i].path;
			read_top(reading, &reading->file[i], first == 1);
		}
	}
	for (size_t i = 0; i < reading->count; i++) {
		policy->file[policy->file_count] = parse_copy(&reading->parse, source[i].path);
		policy->file_count += policy->file[policy->file_count] != NULL;
	}
	/* Where they stand from now on; the table has pointers to where they stood. */
	name_table_done(&reading->parse.pools);
	qsort(policy->pool, policy->pool_count, sizeof *policy->pool, pool_order);
}

int policy_parse(const struct policy_source *source, size_t count, const struct name_resolver *names,
		 struct diagnostics *diagnostics, struct policy **out)
{
	struct reading reading = {
		.parse = { .diagnostics = diagnostics, .names = names },
		.policy = calloc(1, sizeof(struct policy)),
		.file = calloc(count + 1, sizeof *reading.file),
		.count = count,
	};
	size_t errors = diagnostics->errors;
	int result = 0;

	if (!reading.policy || !reading.file)
		reading.parse.out_of_memory = true;
	else
		read_all(&reading, source);
	if (!reading.parse.out_of_memory && diagnostics->errors == errors &&
	    policy_check(reading.policy, diagnostics) < 0)
		reading.parse.out_of_memory = true;
	if (reading.parse.out_of_memory)
		result = -ENOMEM;
	else if (diagnostics->errors > errors)
		result = -EINVAL;
	for (size_t i = 0; reading.file && i < count; i++)
		json_text_free(reading.file[i].text);
	free(reading.file);
	name_table_done(&reading.parse.pools);
	name_table_done(&reading.rules);
	if (result < 0) {
		policy_free(reading.policy);
		return result;
	}
	reading.policy->has_parents = reading.parse.has_parents;
	reading.policy->digest = policy_digest(reading.policy);
	*out = reading.policy;
	return 0;
}
