#include "verb_policy.h"

#include "policy_check.h"
#include "policy_reload.h"
#include "../core/reply.h"
#include "../core/session.h"

#include <grp.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WHO_SIZE = 1024 };

__attribute__((format(printf, 2, 3))) static void add(char *out, const char *format, ...)
{
	size_t used = strlen(out);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(out + used, WHO_SIZE - used, format, arguments);
	va_end(arguments);
}

/* The name of a number, or the number. Returns out. */
static const char *id_text(uint32_t id, bool group, char *out, size_t size)
{
	const struct passwd *user = group ? NULL : getpwuid(id);
	const struct group *found = group ? getgrgid(id) : NULL;

	if (user != NULL)
		snprintf(out, size, "%s", user->pw_name);
	else if (found != NULL)
		snprintf(out, size, "%s", found->gr_name);
	else
		snprintf(out, size, "%" PRIu32, id);
	return out;
}

static void add_ids(char *out, struct json_object *list, bool group)
{
	char text[256];

	for (size_t i = 0; i < reply_count(list); i++)
		add(out, "%s%s", i == 0 ? (group ? "group " : "user ") : " or ",
		    id_text((uint32_t)json_object_get_int64(json_object_array_get_idx(list, i)), group, text,
			    sizeof(text)));
}

/* "user alice or bob, group kvm, unit vm-*.service". Returns out. */
static const char *who_text(struct json_object *rule, char out[static WHO_SIZE])
{
	struct json_object *users = reply_list(rule, "users"), *groups = reply_list(rule, "groups");
	struct json_object *units = reply_list(rule, "units");

	out[0] = '\0';
	add_ids(out, users, false);
	if (out[0] != '\0' && reply_count(groups) > 0)
		add(out, ", ");
	add_ids(out, groups, true);
	for (size_t i = 0; i < reply_count(units); i++)
		add(out, "%s%s", i > 0 ? " or " : out[0] != '\0' ? ", unit " : "unit ", reply_text(units, i));
	return out[0] != '\0' ? out : "everybody";
}

static void write_rules(const struct layout *out, struct json_object *reply)
{
	struct json_object *rules = reply_list(reply, "rules"), *never = reply_list(reply, "never");
	int64_t hidden = reply_number(reply, "hidden", 0);
	char who[WHO_SIZE], prefix[32];

	layout_sentence_of(
		out, "", 2,
		"%zu rule%s, tried in this order: the first match decides. Without a match, the claim is denied.",
		reply_count(rules), reply_count(rules) == 1 ? "" : "s");
	for (size_t i = 0; i < reply_count(rules); i++) {
		struct json_object *rule = reply_entry(rules, i);

		snprintf(prefix, sizeof(prefix), "%3zu. ", i + 1);
		layout_sentence_of(out, prefix, 5, "%s \"%s\" (%s:%" PRId64 ")", reply_string(rule, "effect", "?"),
				   reply_string(rule, "name", "?"), reply_string(rule, "file", "?"),
				   reply_number(rule, "line", 0));
		layout_sentence_of(out, "     who:  ", 11, "%s", who_text(rule, who));
		layout_sentence_of(out, "     what: ", 11, "%s", reply_string(rule, "what", "?"));
		layout_sentence_of(out, "     how:  ", 11, "%s", reply_string(rule, "how", "?"));
	}
	if (hidden > 0)
		layout_sentence_of(out, "", 2, "%" PRId64 " more cannot apply to you; operators see them.", hidden);
	for (size_t i = 0; i < reply_count(never); i++) {
		struct json_object *entry = reply_entry(never, i);

		if (i == 0)
			layout_sentence(out, "", 2, "Never granted:");
		layout_sentence_of(out, "  ", 4, "%s: %s (%s:%" PRId64 ")", reply_string(entry, "what", "?"),
				   reply_string(entry, "why", "?"), reply_string(entry, "file", "?"),
				   reply_number(entry, "line", 0));
	}
}

static int show(struct session *session)
{
	struct json_object *reply;
	int status = session_call(session, "cannot show the policy", "org.ioasid1.GetPolicy", NULL, &reply);

	if (status != EXIT_DONE)
		return status;
	if (session->line->json)
		session_print_json(session, reply);
	else
		write_rules(&session->out, reply);
	json_object_put(reply);
	return EXIT_DONE;
}

static int run(struct session *session)
{
	const struct command_line *line = session->line;
	const char *what = line->argument[0];

	if (strcmp(what, "check") == 0)
		return policy_check_run(session);
	if (strcmp(what, "show") != 0 && strcmp(what, "reload") != 0)
		return session_fail(session, EXIT_USAGE, "policy takes check, show or reload, not \"%s\"", what);
	if (line->argument_count > 1)
		return session_fail(session, EXIT_USAGE, "policy %s takes no argument: \"%s\"", what,
				    line->argument[1]);
	if (line->snapshot != NULL)
		return session_fail(session, EXIT_USAGE, "policy %s does not work with --snapshot", what);
	return strcmp(what, "show") == 0 ? show(session) : policy_reload_run(session);
}

const struct verb verb_policy = {
	.name = "policy",
	.arguments = "check|show|reload",
	.summary = "check policy files; show or reload the policy",
	.text = "check [FILE|FOLDER]...  reads policy files as ioasidd does, and reports errors\n"
		"    and warnings with file, line and column; by default, those of this machine.\n"
		"    Needs no daemon. With --snapshot, the policy is for that machine.\n"
		"    The exit status is 0 if there are no errors, even if there are warnings.\n"
		"show  prints the rules in force in the order in which they are tried.\n"
		"    Operators see all rules; other users see only those that may apply to them.\n"
		"reload  makes ioasidd read its policy files again, and shows what changed and\n"
		"    which claims the new policy no longer grants; for operators.\n",
	.options = OPTION_SNAPSHOT,
	.minimum = 1,
	.maximum = ARGUMENTS_UNLIMITED,
	.run = run,
};
