#include "tree.h"

#include "../core/reply.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Bridges deeper than this are drawn at this depth. */
enum { DEPTH_MAX = 6, INDENT = 3, GAP = 2, NOWHERE = -1 };

/* What uses a device is told up to here, if the row has the room. */
enum { STATE_COLUMNS = 48 };

/* Sorts behind every number. */
#define NO_GROUP INT64_MAX

struct node {
	struct json_object *device;
	const char *name;
	int64_t group;
	/* Places in the array, NOWHERE where there is none. All of one group. */
	ptrdiff_t parent, first_child, next_sibling;
	bool walked; /* its chain of parents is known to end */
	size_t walk; /* the walk that came by, to see a chain that bites its tail */
};

struct group_state {
	int64_t number;
	const char *state;
};

struct tree {
	struct node *node; /* sorted by group, then by name */
	size_t count;
	struct group_state *state; /* sorted by number */
	size_t state_count;
	struct json_object *claims; /* NULL: not known */
};

/* Columns of the cells of a row. */
struct columns {
	size_t name, id, class_text, driver, state;
};

static int compare(const void *left, const void *right)
{
	const struct node *a = left, *b = right;

	if (a->group != b->group)
		return a->group < b->group ? -1 : 1;
	return strcmp(a->name, b->name);
}

static int compare_states(const void *left, const void *right)
{
	const struct group_state *a = left, *b = right;

	return a->number < b->number ? -1 : a->number > b->number;
}

/* The end of the group that starts at first. */
static size_t group_end(const struct tree *tree, size_t first)
{
	size_t end = first;

	while (end < tree->count && tree->node[end].group == tree->node[first].group)
		end++;
	return end;
}

/* Cuts a chain of parents that would never end: such devices do not exist, but a reply can say so. */
static void cut_loops(struct tree *tree)
{
	for (size_t i = 0; i < tree->count; i++) {
		struct node *node = &tree->node[i];

		while (!node->walked && node->parent != NOWHERE) {
			struct node *parent = &tree->node[node->parent];

			node->walk = i + 1;
			if (parent == node || parent->walk == i + 1) {
				node->parent = NOWHERE;
				break;
			}
			node = parent;
		}
		for (node = &tree->node[i]; !node->walked; node = &tree->node[node->parent]) {
			node->walked = true;
			if (node->parent == NOWHERE)
				break;
		}
	}
}

static void link_nodes(struct tree *tree)
{
	for (size_t i = 0; i < tree->count; i++) {
		struct node key = { .group = tree->node[i].group };
		const struct node *parent;

		tree->node[i].parent = tree->node[i].first_child = tree->node[i].next_sibling = NOWHERE;
		key.name = reply_string(tree->node[i].device, "parent", "");
		parent = bsearch(&key, tree->node, tree->count, sizeof(key), compare);
		if (parent != NULL)
			tree->node[i].parent = parent - tree->node;
	}
	cut_loops(tree);
	/* Backwards, so that children are in order although each is put in front. */
	for (size_t i = tree->count; i-- > 0;) {
		struct node *node = &tree->node[i];

		if (node->parent != NOWHERE) {
			node->next_sibling = tree->node[node->parent].first_child;
			tree->node[node->parent].first_child = (ptrdiff_t)i;
		}
	}
	/* Those without a parent are siblings, too: a group's. */
	for (size_t i = tree->count, next = tree->count; i-- > 0;) {
		struct node *node = &tree->node[i];

		if (node->parent != NOWHERE)
			continue;
		if (next < tree->count && tree->node[next].group == node->group)
			node->next_sibling = (ptrdiff_t)next;
		next = i;
	}
}

struct tree *tree_new(struct json_object *devices, struct json_object *groups, struct json_object *claims)
{
	struct tree *tree = calloc(1, sizeof(*tree));
	size_t count = reply_count(devices), group_count = reply_count(groups);

	if (tree == NULL)
		return NULL;
	tree->node = calloc(count + 1, sizeof(*tree->node));
	tree->state = calloc(group_count + 1, sizeof(*tree->state));
	tree->claims = claims;
	if (tree->node == NULL || tree->state == NULL)
		return tree_free(tree);
	for (size_t i = 0; i < count; i++) {
		struct json_object *device = reply_entry(devices, i);
		struct node *node = &tree->node[tree->count];

		if (device == NULL)
			continue;
		node->device = device;
		node->name = reply_string(device, "name", "?");
		node->group = reply_number(device, "group", NO_GROUP);
		tree->count++;
	}
	qsort(tree->node, tree->count, sizeof(*tree->node), compare);
	link_nodes(tree);
	for (size_t i = 0; i < group_count; i++) {
		struct group_state *state = &tree->state[tree->state_count++];

		state->number = reply_number(reply_entry(groups, i), "number", NO_GROUP);
		state->state = reply_string(reply_entry(groups, i), "state", NULL);
	}
	qsort(tree->state, tree->state_count, sizeof(*tree->state), compare_states);
	return tree;
}

struct tree *tree_free(struct tree *tree)
{
	if (tree != NULL) {
		free(tree->node);
		free(tree->state);
	}
	free(tree);
	return NULL;
}

/* "[1234:11e8]". Returns out. */
static const char *id_text(struct json_object *device, char *out, size_t size)
{
	snprintf(out, size, "[%s:%s]", reply_string(device, "vendor_id", "?"), reply_string(device, "device_id", "?"));
	return out;
}

/* The claim that has a group, as far as the daemon tells it: that of the first member which has one. NULL: none. */
static const char *group_claim(const struct tree *tree, size_t first, size_t end)
{
	const char *claim = NULL;

	for (size_t i = first; i < end && claim == NULL && tree->node[i].group != NO_GROUP; i++)
		claim = reply_string(tree->node[i].device, "claim", NULL);
	return claim;
}

const char *tree_state_words(const char *state)
{
	static const char *const words[][2] = {
		{ "in-use", "in use" },
		{ "unknown-use", "use unknown" },
		{ "group-in-use", "group in use" },
		{ "no-iommu", "no IOMMU" },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(state, words[i][0]) == 0)
			return words[i][1];
	return state;
}

/* The end of a chain says what it comes to: "mounted on /" of "nvme0n1 > nvme0n1p2 > mounted on /". */
static const char *end_of_chain(const char *use)
{
	const char *end = use, *next;

	while ((next = strstr(end, " > ")) != NULL)
		end = next + 3;
	return end;
}

/* Whether it can be had, in words; the claim that has it only where that is not the group's. Returns out. */
static const char *state_text(struct json_object *device, const char *group_has, char *out, size_t size,
			      enum colour *colour)
{
	const char *state = reply_string(device, "state", "?");
	const char *claim = reply_string(device, "claim", NULL), *use = reply_string(device, "use", NULL);

	if (claim != NULL && group_has != NULL && strcmp(claim, group_has) == 0)
		claim = NULL;
	*colour = COLOUR_BAD;
	if (reply_flag(device, "locked_out")) {
		state = "locked out";
	} else if (strcmp(state, "held") == 0) {
		*colour = COLOUR_WARN;
	} else if (reply_flag(device, "bridge") && !reply_is_claimed(device)) {
		*colour = COLOUR_FAINT;
		state = "bridge";
	} else if (strcmp(state, "free") == 0) {
		*colour = COLOUR_GOOD;
	} else if (strcmp(state, "in-use") == 0 && use != NULL) {
		*colour = COLOUR_WARN;
		snprintf(out, size, "in use: %s", end_of_chain(use));
		return out;
	} else if (!reply_is_claimed(device)) {
		*colour = strcmp(state, "unclaimed") == 0 ? COLOUR_FAINT : COLOUR_WARN;
		state = tree_state_words(state);
	}
	snprintf(out, size, "%s%s%s", state, claim != NULL ? " by " : "", claim != NULL ? claim : "");
	return out;
}

static size_t depth_of(const struct tree *tree, const struct node *node)
{
	size_t depth = 0;

	while (node->parent != NOWHERE && depth < DEPTH_MAX) {
		node = &tree->node[node->parent];
		depth++;
	}
	return depth;
}

static void widen(size_t *column, size_t columns)
{
	if (columns > *column)
		*column = columns;
}

/* Takes from a column what is too much, but leaves it at least so wide. */
static void narrow(size_t *column, size_t least, size_t *excess)
{
	size_t spare = *column > least ? *column - least : 0;
	size_t taken = spare < *excess ? spare : *excess;

	*column -= taken;
	*excess -= taken;
}

/* As wide as what stands in them, and narrowed until a row fits: what tells least first. */
static struct columns measure(const struct tree *tree, const struct layout *layout, size_t first, size_t end)
{
	struct columns columns = { 0 };
	const char *claim = NULL;
	enum colour colour;
	char text[256];
	size_t all, excess;

	for (size_t i = first; i < end; i++) {
		const struct node *node = &tree->node[i];
		struct json_object *device = node->device;

		if (i == first || node->group != node[-1].group)
			claim = group_claim(tree, i, group_end(tree, i));

		widen(&columns.name, INDENT * (depth_of(tree, node) + 1) + layout_columns(layout, node->name));
		widen(&columns.id, layout_columns(layout, id_text(device, text, sizeof(text))));
		widen(&columns.class_text, layout_columns(layout, reply_string(device, "class_text", "")));
		widen(&columns.driver, layout_columns(layout, reply_string(device, "driver", "-")));
		widen(&columns.state, layout_columns(layout, state_text(device, claim, text, sizeof(text), &colour)));
	}
	if (columns.state > STATE_COLUMNS)
		columns.state = STATE_COLUMNS;
	all = columns.name + columns.id + columns.class_text + columns.driver + columns.state + 4 * GAP;
	excess = all > layout->width ? all - layout->width : 0;
	narrow(&columns.class_text, 12, &excess);
	narrow(&columns.driver, 8, &excess);
	narrow(&columns.state, 12, &excess);
	narrow(&columns.id, 11, &excess);
	narrow(&columns.class_text, 6, &excess);
	narrow(&columns.name, 15, &excess);
	narrow(&columns.state, 4, &excess);
	return columns;
}

/* The lines that lead to a node, from the group down. Returns their columns. */
static size_t draw_lines(const struct tree *tree, const struct layout *layout, const struct node *node)
{
	const struct node *chain[DEPTH_MAX + 1];
	size_t depth = 0;

	for (;;) {
		chain[depth] = node;
		if (node->parent == NOWHERE || depth == DEPTH_MAX)
			break;
		node = &tree->node[node->parent];
		depth++;
	}
	for (size_t i = depth; i > 0; i--) {
		if (chain[i]->next_sibling == NOWHERE)
			fputs("   ", layout->stream);
		else
			fputs(layout->utf8 ? "\u2502  " : "|  ", layout->stream);
	}
	if (chain[0]->next_sibling == NOWHERE)
		fputs(layout->utf8 ? "\u2514\u2500 " : "`- ", layout->stream);
	else
		fputs(layout->utf8 ? "\u251c\u2500 " : "|- ", layout->stream);
	return INDENT * (depth + 1);
}

static void draw_cell(const struct layout *layout, const char *text, size_t columns)
{
	layout_cell(layout, text, columns, true);
	fprintf(layout->stream, "%*s", GAP, "");
}

static void draw_row(const struct tree *tree, const struct layout *layout, const struct node *node,
		     const char *group_has, const struct columns *columns)
{
	size_t used = draw_lines(tree, layout, node);
	enum colour colour;
	char text[256];

	draw_cell(layout, node->name, columns->name > used ? columns->name - used : 1);
	draw_cell(layout, id_text(node->device, text, sizeof(text)), columns->id);
	draw_cell(layout, reply_string(node->device, "class_text", ""), columns->class_text);
	draw_cell(layout, reply_string(node->device, "driver", "-"), columns->driver);
	state_text(node->device, group_has, text, sizeof(text), &colour);
	layout_colour(layout, colour);
	layout_cell(layout, text, columns->state, false);
	layout_colour(layout, COLOUR_NONE);
	fputc('\n', layout->stream);
}

/* ", attached/iommufd" of a claim that is known, else "". Returns out. */
static const char *delivery_text(const struct tree *tree, const char *claim, char *out, size_t size)
{
	struct json_object *found = claim != NULL ? reply_find(tree->claims, "id", claim) : NULL;
	const char *mode = reply_string(found, "mode", NULL);

	out[0] = '\0';
	if (mode != NULL)
		snprintf(out, size, ", %s/%s", mode, reply_string(found, "interface", "?"));
	return out;
}

static void draw_heading(const struct tree *tree, const struct layout *layout, int64_t group, const char *claim)
{
	struct group_state key = { .number = group };
	const struct group_state *found = bsearch(&key, tree->state, tree->state_count, sizeof(key), compare_states);
	const char *state = found != NULL ? found->state : NULL;
	char text[256], delivery[128];

	if (group == NO_GROUP)
		snprintf(text, sizeof(text), "no IOMMU group: these cannot be claimed");
	else
		snprintf(text, sizeof(text), "IOMMU group %" PRId64 "%s%s%s%s%s", group, state != NULL ? ": " : "",
			 state != NULL ? tree_state_words(state) : "", claim != NULL ? " by claim " : "",
			 claim != NULL ? claim : "", delivery_text(tree, claim, delivery, sizeof(delivery)));
	layout_colour(layout, COLOUR_BOLD);
	layout_cell(layout, text, layout->width, false);
	layout_colour(layout, COLOUR_NONE);
	fputc('\n', layout->stream);
}

/* Draws the group that starts at first: each node, then its children, then its next sibling, without recursion. */
static void draw_group(const struct tree *tree, const struct layout *layout, size_t first,
		       const struct columns *columns)
{
	const char *claim = group_claim(tree, first, group_end(tree, first));
	ptrdiff_t place = (ptrdiff_t)first;

	draw_heading(tree, layout, tree->node[first].group, claim);
	while (tree->node[place].parent != NOWHERE)
		place++; /* the first that has no parent: there is one, as no chain is a loop */
	for (;;) {
		const struct node *node = &tree->node[place];

		draw_row(tree, layout, node, claim, columns);
		if (node->first_child != NOWHERE) {
			place = node->first_child;
			continue;
		}
		while (node->next_sibling == NOWHERE && node->parent != NOWHERE)
			node = &tree->node[node->parent];
		if (node->next_sibling == NOWHERE)
			return;
		place = node->next_sibling;
	}
}

size_t tree_draw(const struct tree *tree, const struct layout *layout, int64_t group)
{
	struct columns columns;
	size_t first = 0, last = tree->count;

	if (group != TREE_ALL_GROUPS) {
		while (first < tree->count && tree->node[first].group != group)
			first++;
		last = first < tree->count ? group_end(tree, first) : first;
	}
	columns = measure(tree, layout, first, last);
	for (size_t i = first; i < last; i = group_end(tree, i))
		draw_group(tree, layout, i, &columns);
	return last - first;
}
