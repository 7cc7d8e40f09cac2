#include "json_text.h"

#include "text.h"

#include <errno.h>
#include <json-c/json_tokener.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct json_text {
	struct json_scan scan;
	enum json_source source;
	struct json_object *root;
};

/* json-c's value of a piece of the text. NULL, which null is too, after an error: then *error is set. */
static struct json_object *tokenise(const char *text, size_t length, unsigned depth_max, const char **error)
{
	/* json-c counts the value inside the innermost bracket as a level of its own. */
	struct json_tokener *tokener = json_tokener_new_ex((int)depth_max + 1);
	struct json_object *object;
	enum json_tokener_error outcome;

	if (!tokener) {
		*error = "out of memory";
		return NULL;
	}
	/*
	 * The scan has been stricter. json-c's own checks differ by version: of UTF-8 (0.18 refuses good one), and of
	 * numbers out of range, which some refuse and others cut off at the range's end, as all of them do without a
	 * flag.
	 */
	object = json_tokener_parse_ex(tokener, text, (int)length);
	/* A number ends only with what follows it: the end is told by one more byte. */
	if (!object && json_tokener_get_error(tokener) == json_tokener_continue)
		object = json_tokener_parse_ex(tokener, "", 1);
	outcome = json_tokener_get_error(tokener);
	json_tokener_free(tokener);
	*error = outcome == json_tokener_success ? NULL : json_tokener_error_desc(outcome);
	return object;
}

/* A key and where it begins. */
struct key {
	struct json_object *text;
	uint32_t offset;
};

/* As tokenise(), of a key in its quotes: there can be ten thousand of them, and few have an escape. */
static struct json_object *key_text(const char *text, size_t length, const char **error)
{
	struct json_object *object;

	if (memchr(text, '\\', length))
		return tokenise(text, length, 1, error);
	object = json_object_new_string_len(text + 1, (int)length - 2);
	*error = object ? NULL : "out of memory";
	return object;
}

static int key_order(const void *a, const void *b)
{
	const struct key *left = a, *right = b;
	int order = strcmp(json_object_get_string(left->text), json_object_get_string(right->text));

	if (order != 0)
		return order;
	return left->offset < right->offset ? -1 : left->offset > right->offset;
}

/* Of the children of a node, the first key in the text that was there before. Always -EINVAL or -ENOMEM. */
static int name_double_key(const struct json_scan *scan, uint32_t node, struct json_problem *problem)
{
	uint32_t first = UINT32_MAX;
	const char *error = NULL;
	size_t count = 0, size = 0;
	struct key *key;
	char name[64] = "";

	for (uint32_t child = node + 1; child < scan->node[node].end; child = scan->node[child].end)
		size++;
	key = calloc(size + 1, sizeof *key);
	if (!key)
		return -ENOMEM;
	for (uint32_t child = node + 1; !error && child < scan->node[node].end; child = scan->node[child].end) {
		uint32_t offset = scan->node[child].key;
		size_t end = offset + 1;

		while (scan->text[end] != '"')
			end += scan->text[end] == '\\' ? 2 : 1;
		key[count].offset = offset;
		key[count].text = key_text(scan->text + offset, end + 1 - offset, &error);
		count += !error;
	}
	if (!error)
		qsort(key, count, sizeof *key, key_order);
	for (size_t i = 1; !error && i < count; i++) {
		const char *text = json_object_get_string(key[i].text);

		if (key[i].offset < first && strcmp(text, json_object_get_string(key[i - 1].text)) == 0) {
			first = key[i].offset;
			text_escape(name, sizeof name, text, strlen(text));
		}
	}
	for (size_t i = 0; i < count; i++)
		json_object_put(key[i].text);
	free(key);
	/* Where all keys differ, json-c had no memory for one of them. */
	if (error || first == UINT32_MAX)
		return -ENOMEM;
	json_scan_position(scan, first, &problem->line, &problem->column);
	text_format(problem->message, sizeof problem->message, "duplicate key \"%s\": keep one", name);
	return -EINVAL;
}

/*
 * Finds objects where json-c kept fewer members than the text has, and numbers that it made infinite. Walks both side
 * by side, which the walkers rely on.
 */
static int check_values(const struct json_value *value, struct json_problem *problem)
{
	struct json_children children = json_value_children(value);
	const struct json_scan *scan = &value->text->scan;
	struct json_value child;
	int error;

	if (json_object_is_type(value->object, json_type_object)) {
		size_t count = 0;

		for (uint32_t i = value->node + 1; i < scan->node[value->node].end; i = scan->node[i].end)
			count++;
		if (count != (size_t)json_object_object_length(value->object))
			return name_double_key(scan, value->node, problem);
	}
	if (value->text->source == JSON_MESSAGE && json_object_is_type(value->object, json_type_double) &&
	    !isfinite(json_object_get_double(value->object))) {
		json_value_position(value, false, &problem->line, &problem->column);
		text_format(problem->message, sizeof problem->message, "this number is out of range");
		return -EINVAL;
	}
	while (json_children_next(&children, &child)) {
		error = check_values(&child, problem);
		if (error < 0)
			return error;
	}
	return 0;
}

static int read_text_of(const char *text, size_t length, enum json_source source, unsigned depth_max,
			struct json_text **out, struct json_problem *problem)
{
	struct json_text *parsed = calloc(1, sizeof *parsed);
	const char *fault = NULL;
	struct json_value root;
	int error;

	if (!parsed)
		return -ENOMEM;
	parsed->source = source;
	error = json_scan(text, length, source, depth_max, &parsed->scan, problem);
	if (error < 0)
		goto out;
	parsed->root = tokenise(parsed->scan.text, length, depth_max, &fault);
	if (!parsed->root && parsed->scan.text[parsed->scan.node[0].offset] != 'n')
		fault = fault ? fault : "out of memory";
	if (fault) {
		/* The scan lets nothing through that json-c refuses, apart from its running out of memory. */
		*problem = (struct json_problem){ .line = 0 };
		text_format(problem->message, sizeof problem->message, "could not be read: %s", fault);
		error = strcmp(fault, "out of memory") == 0 ? -ENOMEM : -EINVAL;
		goto out;
	}
	root = json_text_root(parsed);
	error = check_values(&root, problem);
out:
	if (error < 0)
		json_text_free(parsed);
	else
		*out = parsed;
	return error;
}

int json_text_new(const char *text, size_t length, unsigned depth_max, struct json_text **out,
		  struct json_problem *problem)
{
	return read_text_of(text, length, JSON_FILE, depth_max, out, problem);
}

int json_text_read(const char *text, size_t length, enum json_source source, unsigned depth_max,
		   struct json_object **out, struct json_problem *problem)
{
	struct json_text *parsed;
	int error = read_text_of(text, length, source, depth_max, &parsed, problem);

	if (error < 0)
		return error;
	if (json_object_is_type(parsed->root, json_type_object)) {
		*out = json_object_get(parsed->root);
	} else {
		*problem = (struct json_problem){ .line = 1, .column = 1 };
		text_format(problem->message, sizeof problem->message, "expected an object here");
		error = -EINVAL;
	}
	json_text_free(parsed);
	return error;
}

struct json_text *json_text_free(struct json_text *text)
{
	if (text) {
		json_object_put(text->root);
		json_scan_done(&text->scan);
		free(text);
	}
	return NULL;
}

struct json_value json_text_root(const struct json_text *text)
{
	return (struct json_value){ .text = text, .object = text->root };
}

struct json_children json_value_children(const struct json_value *value)
{
	struct json_children children = {
		.parent = value,
		.node = value->node + 1,
		.node_end = value->text->scan.node[value->node].end,
	};

	if (json_object_is_type(value->object, json_type_object)) {
		children.member = json_object_iter_begin(value->object);
		children.end = json_object_iter_end(value->object);
	} else if (!json_object_is_type(value->object, json_type_array)) {
		children.node_end = children.node;
	}
	return children;
}

bool json_children_next(struct json_children *children, struct json_value *out)
{
	const struct json_value *parent = children->parent;

	if (children->node >= children->node_end)
		return false;
	*out = (struct json_value){ .text = parent->text, .parent = parent, .node = children->node };
	if (json_object_is_type(parent->object, json_type_object)) {
		out->key = json_object_iter_peek_name(&children->member);
		out->object = json_object_iter_peek_value(&children->member);
		json_object_iter_next(&children->member);
	} else {
		out->index = children->index;
		out->object = json_object_array_get_idx(parent->object, children->index);
	}
	children->index++;
	children->node = parent->text->scan.node[children->node].end;
	return true;
}

bool json_value_member(const struct json_value *value, const char *key, struct json_value *out)
{
	struct json_children children = json_value_children(value);
	struct json_value child;

	while (json_children_next(&children, &child)) {
		if (child.key && strcmp(child.key, key) == 0) {
			*out = child;
			return true;
		}
	}
	return false;
}

void json_value_position(const struct json_value *value, bool key, unsigned *line, unsigned *column)
{
	const struct json_node *node = &value->text->scan.node[value->node];

	json_scan_position(&value->text->scan, key && node->key != UINT32_MAX ? node->key : node->offset, line, column);
}

char *json_value_path(const struct json_value *value, char *out, size_t size)
{
	if (!value->parent)
		return text_format(out, size, "%s", "");
	json_value_path(value->parent, out, size);
	if (value->key) {
		char key[48];

		text_escape(key, sizeof key, value->key, strlen(value->key));
		return text_append(out, size, "%s%s", out[0] ? "." : "", key);
	}
	return text_append(out, size, "[%zu]", value->index);
}

/* Goes one step of a path: to "key" or ".key", or to "[7]". Returns what remains of the path, or NULL. */
static const char *follow(const char *path, const struct json_value *value, struct json_value *out)
{
	struct json_children children = json_value_children(value);
	size_t length, index = 0;

	if (*path == '[') {
		length = strspn(path + 1, "0123456789");
		if (length == 0 || length > 9 || path[length + 1] != ']')
			return NULL;
		for (size_t i = 1; i <= length; i++)
			index = index * 10 + (size_t)(path[i] - '0');
		while (json_children_next(&children, out))
			if (!out->key && out->index == index)
				return path + length + 2;
		return NULL;
	}
	if (*path == '.')
		path++;
	length = strcspn(path, ".[");
	while (json_children_next(&children, out))
		if (out->key && strlen(out->key) == length && strncmp(out->key, path, length) == 0)
			return path + length;
	return NULL;
}

bool json_text_locate(const struct json_text *text, const char *path, unsigned *line, unsigned *column)
{
	struct json_value value = json_text_root(text), next;

	while (*path) {
		path = follow(path, &value, &next);
		if (!path)
			return false;
		value = next;
		value.parent = NULL;
	}
	json_value_position(&value, false, line, column);
	return true;
}
