#include "audit_report.h"

#include "../../policy/reply_json.h"
#include "../../policy/text.h"

#include <stdio.h>
#include <string.h>

static void add_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, json_object_new_string(text));
}

static void add_optional(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, reply_json_text_or_null(text));
}

static void add_number(struct json_object *object, const char *key, int64_t number)
{
	json_object_object_add(object, key, json_object_new_int64(number));
}

static void add_truth(struct json_object *object, const char *key, bool truth)
{
	json_object_object_add(object, key, json_object_new_boolean(truth));
}

/* What to do about a process that holds something, and that did not get it by a claim as far as can be told. */
static void advise_on_hold(const struct hold *hold, const struct hold_origin *origin, char out[static 2 * TEXT_MAX])
{
	char end[TEXT_MAX];

	out[0] = '\0';
	if (origin->verdict == HOLD_OF_CLAIM || origin->verdict == HOLD_OF_SERVICE)
		return;
	/* A scope or a session is not for systemctl to be stopped by name without a look. */
	if (hold->unit[0] && strstr(hold->unit, ".service"))
		text_format(end, sizeof end, "end it (systemctl stop %s)", hold->unit);
	else
		text_format(end, sizeof end, "end process %d", hold->pid);
	if (origin->verdict == HOLD_UNKNOWN && origin->claim[0])
		text_format(out, 2 * TEXT_MAX, "%s, unless it is meant to have it by claim %s", end, origin->claim);
	else if (origin->verdict == HOLD_UNKNOWN)
		text_format(out, 2 * TEXT_MAX, "%s, unless it is meant to have it by a claim", end);
	else if (hold->kind == HOLD_IOMMUFD || hold->kind == HOLD_CONTAINER)
		text_format(out, 2 * TEXT_MAX, "alone it reaches no device; %s if it has no business with devices", end);
	else
		text_format(out, 2 * TEXT_MAX, "%s, and start it so that it claims what it uses (ioasidctl run)", end);
}

static struct json_object *hold_to_json(const struct hold *hold, const struct hold_origin *origin)
{
	struct json_object *object = json_object_new_object();
	char remedy[2 * TEXT_MAX];

	advise_on_hold(hold, origin, remedy);
	add_number(object, "pid", hold->pid);
	add_number(object, "uid", hold->uid);
	add_text(object, "command", hold->command);
	add_optional(object, "unit", hold->unit);
	add_text(object, "kind", hold_kind_to_string((enum hold_kind)hold->kind));
	add_number(object, "count", hold->count);
	add_optional(object, "device", hold->device);
	json_object_object_add(object, "group", hold->group >= 0 ? json_object_new_int(hold->group) : NULL);
	add_optional(object, "node", hold->node);
	add_text(object, "verdict", hold_verdict_to_string(origin->verdict));
	add_optional(object, "claim", origin->claim);
	add_optional(object, "remedy", remedy);
	return object;
}

/* What to do about a node that somebody can open whom no claim gave it. */
static void advise_on_node(const struct node_access *access, bool granted, char out[static 2 * TEXT_MAX])
{
	out[0] = '\0';
	if (granted)
		return;
	if (access->acl[0])
		text_format(out, 2 * TEXT_MAX, "setfacl -b /dev/%s, ", access->node);
	if (access->uid != 0 || access->gid != 0)
		text_append(out, 2 * TEXT_MAX, "chown root:root /dev/%s, ", access->node);
	text_append(out, 2 * TEXT_MAX, "chmod 0600 /dev/%s; see which udev rule or program lets them (ioasidd's rules set 0600)",
		    access->node);
}

static struct json_object *node_to_json(const struct node_access *access, bool granted)
{
	struct json_object *object = json_object_new_object(), *users = json_object_new_array();
	char mode[8], remedy[2 * TEXT_MAX];

	advise_on_node(access, granted, remedy);
	snprintf(mode, sizeof(mode), "%04o", access->mode & 07777u);
	for (uint32_t i = 0; i < access->user_count; i++)
		json_object_array_add(users, json_object_new_int64(access->user[i]));
	add_text(object, "node", access->node);
	add_optional(object, "device", access->device);
	json_object_object_add(object, "group", access->group >= 0 ? json_object_new_int(access->group) : NULL);
	add_text(object, "mode", mode);
	add_number(object, "uid", access->uid);
	add_number(object, "gid", access->gid);
	add_truth(object, "everybody", access->everybody);
	add_truth(object, "groups", access->groups);
	json_object_object_add(object, "users", users);
	add_number(object, "users_left_out", access->users_left_out);
	add_optional(object, "acl", access->acl);
	add_truth(object, "granted", granted);
	add_optional(object, "remedy", remedy);
	return object;
}

struct json_object *audit_to_json(const struct audit *audit)
{
	struct json_object *object = json_object_new_object(), *holds = json_object_new_array(),
			   *nodes = json_object_new_array();
	char incomplete[TEXT_MAX] = "";
	int64_t findings = 0;

	for (size_t i = 0; i < audit->hold_count; i++) {
		json_object_array_add(holds, hold_to_json(&audit->hold[i], &audit->origin[i]));
		findings += audit->origin[i].verdict == HOLD_FOREIGN || audit->origin[i].verdict == HOLD_UNKNOWN;
	}
	for (size_t i = 0; i < audit->access_count; i++) {
		json_object_array_add(nodes, node_to_json(&audit->access[i], audit->granted[i]));
		findings += !audit->granted[i];
	}
	if (audit->error != 0)
		text_format(incomplete, sizeof(incomplete), "not everything could be looked at: %s", strerror(audit->error));
	json_object_object_add(object, "holds", holds);
	json_object_object_add(object, "nodes", nodes);
	add_truth(object, "compared", audit->compared);
	add_optional(object, "incomplete", incomplete);
	add_number(object, "findings", findings);
	return object;
}
