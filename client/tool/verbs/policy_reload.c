#include "policy_reload.h"

#include "../../json_build.h"
#include "../core/reply.h"
#include "../core/session.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>

static void write_diagnostics(const struct layout *out, struct json_object *list)
{
	for (size_t i = 0; i < reply_count(list); i++) {
		struct json_object *item = reply_entry(list, i);
		const char *kind = reply_flag(item, "error") ? "error" : "warning";
		int64_t line = reply_number(item, "line", 0);

		if (line > 0)
			layout_sentence_of(out, "", 2, "%s:%" PRId64 ":%" PRId64 ": %s: %s",
					   reply_string(item, "file", "?"), line, reply_number(item, "column", 0), kind,
					   reply_string(item, "message", "?"));
		else
			layout_sentence_of(out, "", 2, "%s: %s: %s", reply_string(item, "file", "?"), kind,
					   reply_string(item, "message", "?"));
	}
}

/* Tells a reload that came to nothing, with all the places that are wrong. Returns the exit status. */
static int report_failure(struct session *session)
{
	struct json_object *parameters = reply_parse(ioasid_error_parameters(session->connection));
	struct json_object *list = reply_list(parameters, "diagnostics"), *object, *error;
	int status;

	if (session->line->json && list != NULL) {
		status = ioasid_error_status(session->connection);
		error = session_error(session);
		object = json_object_new_object();
		if (object != NULL && error != NULL &&
		    json_build_set(error, "diagnostics", json_object_get(list)) == 0 &&
		    json_build_set(object, "error", json_object_get(error)) == 0)
			session_print_json(session, object);
		json_object_put(error);
		json_object_put(object);
	} else {
		write_diagnostics(&session->err, list);
		status = session_report(session, "the policy was not reloaded; the previous one stays in force");
	}
	json_object_put(parameters);
	return status;
}

/* The rules of GetPolicy by their names, the caller's. NULL: out of memory, or no reply. */
static struct json_object *rules_by_name(struct json_object *policy)
{
	struct json_object *list = reply_list(policy, "rules"), *object = json_object_new_object();

	for (size_t i = 0; object != NULL && i < reply_count(list); i++) {
		struct json_object *rule = reply_entry(list, i);

		if (json_build_set(object, reply_string(rule, "name", ""), json_object_get(rule)) < 0) {
			json_object_put(object);
			return NULL;
		}
	}
	return object;
}

/* True if two rules give the same, wherever they stand. */
static bool is_same_rule(struct json_object *first, struct json_object *second)
{
	static const char *const keys[] = { "effect", "everybody", "users", "groups", "units", "what", "how" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (!json_object_equal(json_object_object_get(first, keys[i]), json_object_object_get(second, keys[i])))
			return false;
	return true;
}

/* Every rule of first that second does not have, with what that is called; changed: and those that differ. */
static size_t write_differences(const struct layout *out, struct json_object *first, struct json_object *second,
				const char *label, bool changed)
{
	struct json_object *other;
	size_t count = 0;

	if (first == NULL || second == NULL)
		return 0;
	json_object_object_foreach(first, name, rule)
	{
		bool there = json_object_object_get_ex(second, name, &other);

		if (there && (!changed || is_same_rule(rule, other)))
			continue;
		count++;
		layout_sentence_of(out, "  ", 4, "%s: rule \"%s\" (%s:%" PRId64 ")", there ? "changed" : label, name,
				   reply_string(rule, "file", "?"), reply_number(rule, "line", 0));
	}
	return count;
}

static void write_reply(struct session *session, struct json_object *reply, struct json_object *before,
			struct json_object *after)
{
	struct json_object *lost = reply_list(reply, "no_longer_granted"), *old = rules_by_name(before);
	struct json_object *new = rules_by_name(after);
	const struct layout *out = &session->out;
	int64_t rules = reply_number(reply, "rules", 0);
	size_t files = reply_count(reply_list(reply, "files"));

	write_diagnostics(out, reply_list(reply, "warnings"));
	layout_sentence_of(out, "", 2, "The policy was reloaded; in force: %" PRId64 " rule%s in %zu file%s.", rules,
			   rules == 1 ? "" : "s", files, files == 1 ? "" : "s");
	if (before != NULL && after != NULL &&
	    write_differences(out, new, old, "new", true) + write_differences(out, old, new, "gone", false) == 0)
		layout_sentence(out, "  ", 4, "no rules were added, removed or changed");
	json_object_put(old);
	json_object_put(new);
	if (reply_count(lost) == 0)
		return;
	layout_sentence(out, "", 2, "These claims continue, but the new policy no longer grants them:");
	for (size_t i = 0; i < reply_count(lost); i++) {
		struct json_object *claim = reply_entry(lost, i);

		layout_sentence_of(out, "  ", 4, "claim %s, %s: %s", reply_string(claim, "claim", "?"),
				   reply_string(claim, "device", "?"), reply_string(claim, "reason", "?"));
	}
	layout_sentence(out, "  ", 4, "To end one: `ioasidctl release CLAIM`");
}

int policy_reload_run(struct session *session)
{
	struct json_object *before, *after, *reply;
	char *text = NULL;
	int status = session_connect(session);

	if (status != EXIT_DONE)
		return status;
	before = session_ask(session, "org.ioasid1.GetPolicy");
	if (ioasid_call(session->connection, "org.ioasid1.ReloadPolicy", NULL, &text) < 0) {
		json_object_put(before);
		return report_failure(session);
	}
	reply = reply_parse(text);
	free(text);
	after = session_ask(session, "org.ioasid1.GetPolicy");
	if (reply == NULL)
		status = session_malformed(session, "not an object");
	else if (session->line->json)
		session_print_json(session, reply);
	else
		write_reply(session, reply, before, after);
	json_object_put(before);
	json_object_put(after);
	json_object_put(reply);
	return status;
}
