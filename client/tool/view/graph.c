#include "graph.h"

#include "graph_nodes.h"
#include "../core/reply.h"

#include "../../escape.h"

#include <inttypes.h>
#include <string.h>

enum { USE_COLUMNS = 48 }; /* of a use in a box */

/* How a box looks. Each look differs in its shape or border as well: colours are told apart by not everybody. */
struct look {
	const char *shape, *style, *fill;
	int borders;
};

/* Writes what stands between quotes: whatever it is, it ends neither them nor the line. */
static void write_text(FILE *stream, const char *text, size_t columns)
{
	char piece[ESCAPED_MAX];

	for (size_t written = 0; *text != '\0'; written++) {
		if (written == columns) {
			fputs("...", stream);
			return;
		}
		escape_next(&text, false, piece);
		for (const char *c = piece; *c != '\0'; c++) {
			if (*c == '"' || *c == '\\')
				fputc('\\', stream);
			fputc(*c, stream);
		}
	}
}

static void write_name(FILE *stream, const char *prefix, const char *text)
{
	fprintf(stream, "\"%s", prefix);
	write_text(stream, text, SIZE_MAX);
	fputc('"', stream);
}

/* A line of a label, behind the first. */
static void write_line(FILE *stream, const char *before, const char *text, const char *behind)
{
	fprintf(stream, "\\n%s", before);
	write_text(stream, text, USE_COLUMNS);
	fputs(behind, stream);
}

/* The state of the claim that has it, or "free": what the host does with it is told by its uses. */
static const char *state_of(const struct graph_node *node)
{
	return reply_is_claimed(node->device) ? reply_string(node->device, "state", "free") : "free";
}

static struct look look_of(const struct graph_node *node)
{
	bool owned = strcmp(state_of(node), "free") != 0;

	switch (node->mark) {
	case MARK_BLOCKS:
		return (struct look){ "octagon", "filled,bold", "#f4b6a0", node->asked ? 2 : 1 };
	case MARK_ASKED:
		return (struct look){ "box", "filled,bold", "#a6d5f2", 2 };
	case MARK_LOCKOUT:
		return (struct look){ "box", "filled,dashed", "#f7d58c", 1 };
	case MARK_NONE:
		break;
	}
	if (reply_flag(node->device, "locked_out"))
		return (struct look){ "box", "filled,dashed", "#d9c9e8", 1 };
	if (reply_flag(node->device, "bridge"))
		return (struct look){ "cds", "filled", "#eeeeee", 1 };
	if (owned)
		return (struct look){ "box", "filled", "#9fdcc4", 2 };
	if (node->use != NULL && strcmp(reply_string(node->use, "severity", ""), "fatal") == 0)
		return (struct look){ "hexagon", "filled", "#ffffff", 1 };
	return (struct look){ "box", "filled", "#ffffff", 1 };
}

static void write_mark(FILE *stream, const struct graph_node *node)
{
	if (node->asked)
		fputs("\\nASKED FOR", stream);
	if (node->mark == MARK_LOCKOUT)
		fputs("\\nWOULD BE LOCKED OUT", stream);
	if (node->mark == MARK_BLOCKS)
		write_line(stream, "BLOCKS: ", node->blocker, "");
}

static void write_node(FILE *stream, const struct graph_node *node)
{
	struct look look = look_of(node);
	const char *claim = reply_string(node->device, "claim", NULL);

	fputs("    ", stream);
	write_name(stream, "", node->name);
	fputs(" [label=\"", stream);
	write_text(stream, node->name, USE_COLUMNS);
	write_line(stream, "", reply_string(node->device, "class_text", "device"), "");
	write_line(stream, "driver: ", reply_string(node->device, "driver", "none"), "");
	if (node->use != NULL) {
		write_line(stream, "", reply_string(node->use, "severity", "?"), ": ");
		write_text(stream, reply_string(node->use, "text", "?"), USE_COLUMNS);
		if (node->uses > 1)
			fprintf(stream, " (and %zu more)", node->uses - 1);
	}
	if (reply_flag(node->device, "locked_out"))
		fputs("\\nlocked out", stream);
	else if (strcmp(state_of(node), "free") != 0)
		write_line(stream, "", state_of(node), "");
	if (claim != NULL)
		write_line(stream, "claim ", claim, "");
	write_mark(stream, node);
	fprintf(stream, "\", shape=%s, style=\"%s\", fillcolor=\"%s\", peripheries=%d];\n", look.shape, look.style,
		look.fill, look.borders);
}

/* The claim that has one of these, if the reader may know; else NULL. */
static struct json_object *claim_of(const struct graph_view *view, const struct graph_nodes *nodes, size_t first,
				    size_t end)
{
	for (size_t i = first; i < end; i++) {
		const char *id = reply_string(nodes->node[i].device, "claim", NULL);

		if (id != NULL)
			return reply_find(view->claims, "id", id);
	}
	return NULL;
}

/* The state of the first member that is not free. */
static const char *group_state(const struct graph_nodes *nodes, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++)
		if (strcmp(state_of(&nodes->node[i]), "free") != 0)
			return state_of(&nodes->node[i]);
	return "free";
}

static void write_group_look(FILE *stream, const char *state)
{
	if (strcmp(state, "free") == 0)
		fputs("    style=\"rounded\"; color=\"#888888\";\n", stream);
	else if (strcmp(state, "held") == 0)
		fputs("    style=\"bold\"; color=\"#007a55\";\n", stream);
	else if (strcmp(state, "lingering") == 0 || strcmp(state, "quarantined") == 0 || strcmp(state, "stuck") == 0 ||
		 strcmp(state, "lost") == 0)
		fputs("    style=\"bold,dotted\"; color=\"#b03a00\";\n", stream);
	else
		fputs("    style=\"bold,dashed\"; color=\"#9a6b00\";\n", stream);
}

static void write_group(FILE *stream, const struct graph_view *view, const struct graph_nodes *nodes, size_t first,
			size_t end)
{
	struct json_object *claim = claim_of(view, nodes, first, end);
	const char *state = group_state(nodes, first, end);
	int64_t group = nodes->node[first].group;

	if (group < 0) {
		fputs("  subgraph cluster_none {\n"
		      "    label=\"no IOMMU group: cannot be claimed\";\n"
		      "    style=\"dotted\"; color=\"#888888\";\n",
		      stream);
	} else {
		fprintf(stream, "  subgraph cluster_%" PRId64 " {\n    label=\"IOMMU group %" PRId64 ": ", group,
			group);
		write_text(stream, state, USE_COLUMNS);
		if (claim != NULL) {
			write_line(stream, "claim ", reply_string(claim, "id", "?"), "");
			fprintf(stream, " of uid %" PRId64 ", ", reply_number(claim, "uid", -1));
			write_text(stream, reply_string(claim, "mode", "?"), USE_COLUMNS);
		}
		fputs("\";\n", stream);
		write_group_look(stream, state);
	}
	for (size_t i = first; i < end; i++)
		if (nodes->node[i].fold == FOLD_NONE)
			write_node(stream, &nodes->node[i]);
	fputs("  }\n", stream);
}

/* The box that stands for the folded functions of a physical one. */
static void write_functions(FILE *stream, const struct graph_node *node)
{
	fputs("  ", stream);
	write_name(stream, "functions of ", node->name);
	fprintf(stream, " [label=\"%zu virtual functions\\neach free, in a group of its own", node->folded);
	if (node->folded_driver != NULL)
		write_line(stream, "driver: ", node->folded_driver, "");
	fputs("\", shape=folder];\n  ", stream);
	write_name(stream, "functions of ", node->name);
	fputs(" -> ", stream);
	write_name(stream, "", node->name);
	fputs(" [style=dashed, label=\"VF of\"];\n", stream);
}

static void write_edges(FILE *stream, const struct graph_nodes *nodes)
{
	for (size_t i = 0; i < nodes->count; i++) {
		const struct graph_node *node = &nodes->node[i], *above = graph_node_above(node);

		if (node->fold != FOLD_NONE)
			continue;
		if (above != NULL) {
			fputs("  ", stream);
			write_name(stream, "", above->name);
			fputs(" -> ", stream);
			write_name(stream, "", node->name);
			fputs(";\n", stream);
		}
		if (node->physical_function != NULL && node->physical_function->fold == FOLD_NONE) {
			fputs("  ", stream);
			write_name(stream, "", node->name);
			fputs(" -> ", stream);
			write_name(stream, "", node->physical_function->name);
			fputs(" [style=dashed, label=\"VF of\"];\n", stream);
		}
		if (node->folded > 0)
			write_functions(stream, node);
	}
}

static void write_title(FILE *stream, const struct graph_view *view)
{
	struct json_object *blockers = reply_list(view->plan, "blockers");
	size_t lockouts = reply_count(reply_list(view->plan, "lockouts"));

	if (view->plan == NULL)
		return;
	fputs("  labelloc=t;\n  label=\"", stream);
	if (reply_flag(view->plan, "allowed"))
		fprintf(stream, "The claim would be allowed, with %zu lockout%s", lockouts, lockouts == 1 ? "" : "s");
	else
		fputs("The claim would be refused", stream);
	for (size_t i = 0; i < reply_count(blockers) && i < 8; i++) {
		fputs("\\n", stream);
		write_text(stream, reply_string(reply_entry(blockers, i), "message", "?"), 160);
	}
	if (reply_count(blockers) > 8)
		fprintf(stream, "\\nand %zu more reasons", reply_count(blockers) - 8);
	fputs("\";\n", stream);
}

int graph_write(const struct graph_view *view, FILE *stream)
{
	struct graph_nodes nodes;
	int error = graph_nodes_make(view, &nodes);

	if (error < 0)
		return error;
	fputs("digraph ioasidd {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\", fontsize=10];\n"
	      "  edge [fontname=\"sans-serif\", fontsize=9];\n  graph [fontname=\"sans-serif\", fontsize=11];\n",
	      stream);
	write_title(stream, view);
	for (size_t first = 0, end; first < nodes.count; first = end) {
		bool drawn = false;

		end = graph_nodes_group_end(&nodes, first);
		for (size_t i = first; i < end; i++)
			drawn = drawn || nodes.node[i].fold == FOLD_NONE;
		if (drawn)
			write_group(stream, view, &nodes, first, end);
	}
	if (nodes.folded_groups > 0)
		fprintf(stream,
			"  \"folded bridges\" [label=\"%zu bridges in %zu groups of bridges only\\n"
			"--all shows them\", shape=note];\n",
			nodes.folded_bridges, nodes.folded_groups);
	write_edges(stream, &nodes);
	fputs("}\n", stream);
	graph_nodes_done(&nodes);
	return 0;
}
