#include "verb_audit.h"

#include "../core/reply.h"
#include "../core/session.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <pwd.h>
#include <string.h>

enum { VERDICT_COLUMNS = 8, PROCESS_COLUMNS = 22, USER_COLUMNS = 9, NODE_COLUMNS = 28, MODE_COLUMNS = 5 };

static bool is_finding(struct json_object *hold)
{
	const char *verdict = reply_string(hold, "verdict", "");

	return strcmp(verdict, "claim") != 0 && strcmp(verdict, "service") != 0;
}

static const char *user_name(int64_t uid, char out[static 32])
{
	const struct passwd *user = uid >= 0 ? getpwuid((uid_t)uid) : NULL;

	if (user != NULL)
		snprintf(out, 32, "%s", user->pw_name);
	else
		snprintf(out, 32, "%" PRId64, uid);
	return out;
}

/* What is held, as short as it can be said. */
static void describe(struct json_object *hold, char *out, size_t size)
{
	const char *kind = reply_string(hold, "kind", "?"), *device = reply_string(hold, "device", NULL);
	int64_t group = reply_number(hold, "group", -1), count = reply_number(hold, "count", 1);
	size_t used;

	if (device != NULL)
		used = (size_t)snprintf(out, size, "%s%s", device, strcmp(kind, "mapping") == 0 ? " mapped" : "");
	else if (group >= 0)
		used = (size_t)snprintf(out, size, "group %" PRId64 "%s", group,
					strcmp(kind, "group") == 0 ? "" : ", a device");
	else
		/* Of these there are many, and the node is all that tells them apart. */
		used = (size_t)snprintf(out, size, "%s",
					strcmp(kind, "vhost-vdpa") == 0 ? reply_string(hold, "node", kind) : kind);
	if (device != NULL && group >= 0 && used < size)
		used += (size_t)snprintf(out + used, size - used, ", group %" PRId64, group);
	if (count > 1 && used < size)
		snprintf(out + used, size - used, " (%" PRId64 " times)", count);
}

static void write_cells(const struct layout *out, const char *verdict, const char *process, const char *user,
			const char *what)
{
	const size_t fixed = VERDICT_COLUMNS + PROCESS_COLUMNS + USER_COLUMNS + 3;

	layout_cell(out, verdict, VERDICT_COLUMNS, true);
	fputc(' ', out->stream);
	layout_cell(out, process, PROCESS_COLUMNS, true);
	fputc(' ', out->stream);
	layout_cell(out, user, USER_COLUMNS, true);
	fputc(' ', out->stream);
	layout_cell(out, what, out->width - fixed, false);
	fputc('\n', out->stream);
}

static void write_hold(const struct layout *out, struct json_object *hold)
{
	const char *unit = reply_string(hold, "unit", NULL), *claim = reply_string(hold, "claim", NULL);
	const char *remedy = reply_string(hold, "remedy", NULL);
	char process[96], user[32], what[160];

	snprintf(process, sizeof(process), "%s[%" PRId64 "]", reply_string(hold, "command", "?"),
		 reply_number(hold, "pid", 0));
	describe(hold, what, sizeof(what));
	write_cells(out, reply_string(hold, "verdict", "?"), process, user_name(reply_number(hold, "uid", -1), user),
		    what);
	if (unit != NULL)
		layout_sentence_of(out, "         ", 11, "in %s", unit);
	if (claim != NULL)
		layout_sentence_of(out, "         ", 11, "by claim %s", claim);
	if (remedy != NULL)
		layout_sentence(out, "         ", 11, remedy);
}

static void write_holds(const struct layout *out, struct json_object *holds, bool all)
{
	bool any = false;

	for (size_t i = 0; i < reply_count(holds); i++) {
		struct json_object *hold = reply_entry(holds, i);

		if (!all && !is_finding(hold))
			continue;
		if (!any)
			write_cells(out, "VERDICT", "PROCESS", "USER", "HOLDS");
		any = true;
		write_hold(out, hold);
	}
}

/* Who can open a node. */
static void describe_users(struct json_object *node, char *out, size_t size)
{
	struct json_object *users = reply_list(node, "users");
	size_t used = 0;
	char user[32];

	out[0] = '\0';
	if (reply_flag(node, "everybody")) {
		snprintf(out, size, "everybody");
		return;
	}
	for (size_t i = 0; i < reply_count(users) && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "",
					 user_name(json_object_get_int64(json_object_array_get_idx(users, i)), user));
	if (reply_flag(node, "groups") && used < size)
		used += (size_t)snprintf(out + used, size - used, "%sa group", used > 0 ? ", " : "");
	if (reply_number(node, "users_left_out", 0) > 0 && used < size)
		snprintf(out + used, size - used, " and %" PRId64 " more", reply_number(node, "users_left_out", 0));
}

static void write_node_cells(const struct layout *out, const char *node, const char *mode, const char *who)
{
	layout_cell(out, node, NODE_COLUMNS, true);
	fputc(' ', out->stream);
	layout_cell(out, mode, MODE_COLUMNS, true);
	fputc(' ', out->stream);
	layout_cell(out, who, out->width - NODE_COLUMNS - MODE_COLUMNS - 2, false);
	fputc('\n', out->stream);
}

static void write_nodes(const struct layout *out, struct json_object *nodes, bool all)
{
	char path[96], who[256];
	bool any = false;

	for (size_t i = 0; i < reply_count(nodes); i++) {
		struct json_object *node = reply_entry(nodes, i);
		const char *remedy = reply_string(node, "remedy", NULL), *acl = reply_string(node, "acl", NULL);

		if (!all && reply_flag(node, "granted"))
			continue;
		if (!any)
			write_node_cells(out, "NODE", "MODE", "OPEN TO");
		any = true;
		snprintf(path, sizeof(path), "/dev/%s", reply_string(node, "node", "?"));
		describe_users(node, who, sizeof(who));
		write_node_cells(out, path, reply_string(node, "mode", "?"), who);
		if (acl != NULL)
			layout_sentence_of(out, "         ", 11, "ACL %s", acl);
		if (reply_flag(node, "granted"))
			layout_sentence(out, "         ", 11, "granted by a claim");
		if (remedy != NULL)
			layout_sentence(out, "         ", 11, remedy);
	}
}

static void write_audit(struct session *session, struct json_object *reply)
{
	const struct layout *out = &session->out;
	int64_t findings = reply_number(reply, "findings", 0);
	const char *incomplete = reply_string(reply, "incomplete", NULL);

	write_holds(out, reply_list(reply, "holds"), session->line->all);
	write_nodes(out, reply_list(reply, "nodes"), session->line->all);
	if (findings > 0)
		layout_sentence_of(out, "", 2, "%" PRId64 " finding%s", findings, findings == 1 ? "" : "s");
	else
		layout_sentence(out, "", 2,
				"no device is held outside ioasidd, and no node is open to anyone without a claim");
	if (!reply_flag(reply, "compared"))
		layout_sentence(out, "", 2,
				"this kernel cannot tell which contexts belong to claims (needs CONFIG_KCMP)");
	if (incomplete != NULL)
		session_warn(session, "%s", incomplete);
}

static int run(struct session *session)
{
	struct json_object *reply;
	int status = session_call(session, "cannot audit", "org.ioasid1.Audit", NULL, &reply);

	if (status != EXIT_DONE)
		return status;
	if (reply_list(reply, "holds") == NULL || reply_list(reply, "nodes") == NULL)
		status = session_malformed(session, "missing audit");
	else if (session->line->json)
		session_print_json(session, reply);
	else
		write_audit(session, reply);
	if (status == EXIT_DONE &&
	    (reply_number(reply, "findings", 0) > 0 || reply_string(reply, "incomplete", NULL) != NULL))
		status = EXIT_FAILED;
	json_object_put(reply);
	return status;
}

const struct verb verb_audit = {
	.name = "audit",
	.arguments = "",
	.summary = "show who holds devices outside ioasidd",
	.text = "For operators. Lists every process that holds a VFIO, iommufd or vhost-vdpa file\n"
		"descriptor that did not come from a claim, or whose origin is unknown, and every\n"
		"node that is open to users without a claim, with what to do. With --all, also\n"
		"lists what came from claims. Exit status: 0 if nothing is found, 1 otherwise.\n",
	.options = OPTION_ALL,
	.run = run,
};
