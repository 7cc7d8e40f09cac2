/*
 * The devices of a graph, sorted and linked, with what is known of each; and which of them are drawn as one. Draws
 * nothing.
 */
#pragma once

#include "graph_view.h"

#include <stddef.h>
#include <stdint.h>

/* What a claim that is asked about means for a device. */
enum graph_mark {
	MARK_NONE,
	MARK_ASKED,
	MARK_LOCKOUT, /* it would be locked out */
	MARK_BLOCKS,  /* it stands in the way */
};

enum graph_fold {
	FOLD_NONE,
	FOLD_BRIDGES,  /* its group is one of bridges that nobody has anything to do with */
	FOLD_FUNCTION, /* a free virtual function in a group of its own: drawn with its like */
};

struct graph_node {
	struct json_object *device;
	const char *name;
	int64_t group;             /* -1: none */
	struct graph_node *parent; /* NULL: none that is known */
	struct graph_node *physical_function;
	enum graph_mark mark;
	bool asked;          /* also where it blocks */
	const char *blocker; /* the kind, with MARK_BLOCKS */
	enum graph_fold fold;
	struct json_object *use; /* the worst; NULL: none is known but for a driver's */
	size_t uses;
	size_t folded;             /* its virtual functions that are folded */
	const char *folded_driver; /* that all of those have; NULL: none, or not the same */
};

struct graph_nodes {
	struct graph_node *node; /* sorted by group (those without at the end), then by name */
	size_t count;
	struct graph_node **by_address;
	size_t folded_groups, folded_bridges;
};

/* 0, -ENOMEM. The view has to live as long. */
int graph_nodes_make(const struct graph_view *view, struct graph_nodes *out);
void graph_nodes_done(struct graph_nodes *nodes);
/* The end of the group that begins at first. */
size_t graph_nodes_group_end(const struct graph_nodes *nodes, size_t first);
/* The nearest bridge above it that is drawn; NULL: none. */
const struct graph_node *graph_node_above(const struct graph_node *node);
