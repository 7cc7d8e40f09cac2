#include "graph_nodes.h"

#include "../core/reply.h"

#include "../../../include/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	FUNCTIONS_FOLDED_FROM = 4, /* fewer of them are drawn one by one */
	BRIDGES_ABOVE_MAX = 64,    /* a way up that is longer bites its tail */
};

static int by_group(const void *left, const void *right)
{
	const struct graph_node *a = left, *b = right;
	/* -1 behind all others. */
	uint64_t first = (uint64_t)a->group, second = (uint64_t)b->group;

	if (first != second)
		return first < second ? -1 : 1;
	return strcmp(a->name, b->name);
}

static int by_address(const void *left, const void *right)
{
	const struct graph_node *const *a = left, *const *b = right;

	return strcmp((*a)->name, (*b)->name);
}

static struct graph_node *find(const struct graph_nodes *nodes, const char *name)
{
	struct graph_node key = { .name = name }, *pointer = &key, **found;

	if (nodes->count == 0)
		return NULL;
	found = bsearch(&pointer, nodes->by_address, nodes->count, sizeof(pointer), by_address);
	return found != NULL ? *found : NULL;
}

size_t graph_nodes_group_end(const struct graph_nodes *nodes, size_t first)
{
	size_t end = first;

	while (end < nodes->count && nodes->node[end].group == nodes->node[first].group)
		end++;
	return end;
}

static void add_uses(const struct graph_nodes *nodes, struct json_object *uses)
{
	for (size_t i = 0; i < reply_count(uses); i++) {
		struct json_object *use = reply_entry(uses, i);
		struct graph_node *node = find(nodes, reply_string(use, "device", ""));
		int severity = severity_from_string(reply_string(use, "severity", ""));

		/* The driver is told by itself. */
		if (node == NULL || strcmp(reply_string(use, "kind", ""), "driver") == 0)
			continue;
		node->uses++;
		if (node->use == NULL || severity > severity_from_string(reply_string(node->use, "severity", "")))
			node->use = use;
	}
}

static void add_marks(const struct graph_nodes *nodes, struct json_object *plan)
{
	struct json_object *asked = reply_list(plan, "devices"), *lockouts = reply_list(plan, "lockouts");
	struct json_object *blockers = reply_list(plan, "blockers");
	struct graph_node *node;

	for (size_t i = 0; i < reply_count(asked); i++) {
		node = find(nodes, reply_string(reply_entry(asked, i), "name", ""));
		if (node != NULL) {
			node->mark = MARK_ASKED;
			node->asked = true;
		}
	}
	for (size_t i = 0; i < reply_count(lockouts); i++) {
		node = find(nodes, reply_string(reply_entry(lockouts, i), "device", ""));
		if (node != NULL)
			node->mark = MARK_LOCKOUT;
	}
	for (size_t i = 0; i < reply_count(blockers); i++) {
		struct json_object *blocker = reply_entry(blockers, i);

		node = find(nodes, reply_string(blocker, "member", reply_string(blocker, "device", "")));
		if (node != NULL && node->mark != MARK_BLOCKS) {
			node->mark = MARK_BLOCKS;
			node->blocker = reply_string(blocker, "kind", "?");
		}
	}
}

static bool is_idle(const struct graph_node *node)
{
	return node->mark == MARK_NONE && node->uses == 0 && !reply_is_claimed(node->device);
}

static bool is_bridge(const struct graph_node *node)
{
	return reply_flag(node->device, "bridge") || strncmp(reply_string(node->device, "class", ""), "06", 2) == 0;
}

static void fold_bridges(struct graph_nodes *nodes)
{
	for (size_t first = 0, end; first < nodes->count; first = end) {
		bool fold = nodes->node[first].group >= 0;

		end = graph_nodes_group_end(nodes, first);
		for (size_t i = first; i < end; i++)
			fold = fold && is_bridge(&nodes->node[i]) && is_idle(&nodes->node[i]);
		for (size_t i = first; fold && i < end; i++)
			nodes->node[i].fold = FOLD_BRIDGES;
		nodes->folded_groups += fold;
		nodes->folded_bridges += fold ? end - first : 0;
	}
}

/* Counts the functions that could be folded at their physical one, and folds them where it pays. */
static void fold_functions(struct graph_nodes *nodes)
{
	for (size_t i = 0; i < nodes->count; i++) {
		struct graph_node *node = &nodes->node[i], *physical = node->physical_function;
		const char *driver = reply_string(node->device, "driver", NULL);
		bool alone = node->group >= 0 && (i == 0 || nodes->node[i - 1].group != node->group) &&
			     graph_nodes_group_end(nodes, i) == i + 1;

		if (physical == NULL || !alone || !is_idle(node))
			continue;
		node->fold = FOLD_FUNCTION;
		if (physical->folded++ == 0)
			physical->folded_driver = driver;
		else if (driver == NULL || physical->folded_driver == NULL ||
			 strcmp(driver, physical->folded_driver) != 0)
			physical->folded_driver = NULL;
	}
	for (size_t i = 0; i < nodes->count; i++)
		if (nodes->node[i].fold == FOLD_FUNCTION &&
		    nodes->node[i].physical_function->folded < FUNCTIONS_FOLDED_FROM)
			nodes->node[i].fold = FOLD_NONE;
	for (size_t i = 0; i < nodes->count; i++)
		if (nodes->node[i].folded < FUNCTIONS_FOLDED_FROM)
			nodes->node[i].folded = 0;
}

static void link_nodes(struct graph_nodes *nodes)
{
	for (size_t i = 0; i < nodes->count; i++) {
		struct graph_node *node = &nodes->node[i];

		nodes->by_address[i] = node;
	}
	if (nodes->count > 0)
		qsort(nodes->by_address, nodes->count, sizeof(*nodes->by_address), by_address);
	for (size_t i = 0; i < nodes->count; i++) {
		struct graph_node *node = &nodes->node[i];

		node->parent = find(nodes, reply_string(node->device, "parent", ""));
		node->physical_function = find(nodes, reply_string(node->device, "physical_function", ""));
		if (node->physical_function == node)
			node->physical_function = NULL;
	}
}

const struct graph_node *graph_node_above(const struct graph_node *node)
{
	const struct graph_node *above = node->parent;

	for (int steps = 0; above != NULL && above->fold != FOLD_NONE; steps++)
		above = steps < BRIDGES_ABOVE_MAX ? above->parent : NULL;
	return above != node ? above : NULL;
}

int graph_nodes_make(const struct graph_view *view, struct graph_nodes *out)
{
	struct graph_nodes nodes = { .count = 0 };
	size_t count = reply_count(view->devices);

	nodes.node = calloc(count + 1, sizeof(*nodes.node));
	nodes.by_address = calloc(count + 1, sizeof(struct graph_node *));
	if (nodes.node == NULL || nodes.by_address == NULL) {
		graph_nodes_done(&nodes);
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++) {
		struct json_object *device = reply_entry(view->devices, i);
		int64_t group = reply_number(device, "group", -1);

		nodes.node[nodes.count] = (struct graph_node){ .device = device,
							       .name = reply_string(device, "name", ""),
							       .group = group < 0 ? -1 : group };
		nodes.count += *nodes.node[nodes.count].name != '\0';
	}
	if (nodes.count > 0)
		qsort(nodes.node, nodes.count, sizeof(*nodes.node), by_group);
	link_nodes(&nodes);
	add_uses(&nodes, view->uses != NULL ? view->uses : reply_list(view->plan, "uses"));
	add_marks(&nodes, view->plan);
	if (!view->all) {
		fold_bridges(&nodes);
		fold_functions(&nodes);
	}
	*out = nodes;
	return 0;
}

void graph_nodes_done(struct graph_nodes *nodes)
{
	free(nodes->node);
	free(nodes->by_address);
	*nodes = (struct graph_nodes){ .node = NULL };
}
