#include "verb_plan.h"

#include "device_arguments.h"
#include "reply.h"
#include "session.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Who asks: whom --as names, or, as the daemon sees it, the effective user. Returns out. */
static const char *user_name(const struct session *session, char *out, size_t size)
{
	const char *as = session->line->as;
	struct passwd *entry = as == NULL ? getpwuid(geteuid()) : NULL;

	if (as != NULL)
		snprintf(out, size, "%s%s", as[strspn(as, "0123456789")] == '\0' ? "the user " : "", as);
	else if (entry != NULL)
		snprintf(out, size, "%s", entry->pw_name);
	else
		snprintf(out, size, "the user %lu", (unsigned long)geteuid());
	return out;
}

/* " (rule "x", file:line)", or "" where no rule was reached. Returns out. */
static const char *rule_text(struct json_object *plan, char *out, size_t size)
{
	struct json_object *device = reply_entry(reply_list(plan, "devices"), 0);
	const char *rule = reply_string(device, "rule", NULL);
	const char *file = reply_string(device, "rule_file", NULL);

	if (rule == NULL)
		out[0] = '\0';
	else if (file == NULL)
		snprintf(out, size, " (rule \"%s\")", rule);
	else
		snprintf(out, size, " (rule \"%s\", %s:%" PRId64 ")", rule, file, reply_number(device, "rule_line", 0));
	return out;
}

static void write_verdict(struct session *session, struct json_object *plan, int status,
			  const struct device_names *names)
{
	static const char *const reason[] = {
		[EXIT_REFUSED] = "policy refuses it",
		[EXIT_BUSY] = "what it needs is in use or claimed",
		[EXIT_UNKNOWN] = "there is no such device",
		[EXIT_UNSUPPORTED] = "this kernel or hardware can't do it",
	};
	const struct layout *out = &session->out;
	char user[256], devices[256], rule[768];

	user_name(session, user, sizeof(user));
	device_arguments_text(names, devices, sizeof(devices));
	rule_text(plan, rule, sizeof(rule));
	layout_colour(out, status == EXIT_DONE ? COLOUR_GOOD : COLOUR_BAD);
	if (status == EXIT_DONE)
		layout_sentence_of(out, "Yes: ", 5, "%s may claim %s%s.", user, devices, rule);
	else
		layout_sentence_of(out, "No: ", 4, "%s can't claim %s%s: %s.", user, devices, rule, reason[status]);
	layout_colour(out, COLOUR_NONE);
}

static void write_heading(struct session *session, const char *text)
{
	fputc('\n', session->out.stream);
	layout_colour(&session->out, COLOUR_BOLD);
	layout_sentence(&session->out, "", 2, text);
	layout_colour(&session->out, COLOUR_NONE);
}

/* A line for each use of a device but for the driver's, which was told. Returns how many there are, that one too. */
static size_t write_uses(struct session *session, struct json_object *plan, const char *device, bool driver_told)
{
	struct json_object *uses = reply_list(plan, "uses");
	size_t written = 0;

	for (size_t i = 0; i < reply_count(uses); i++) {
		struct json_object *use = reply_entry(uses, i);

		if (strcmp(reply_string(use, "device", ""), device) != 0)
			continue;
		written++;
		if (driver_told && strcmp(reply_string(use, "kind", ""), "driver") == 0)
			continue;
		layout_sentence_of(&session->out, "    ", 6, "used: %s (%s)", reply_string(use, "text", "?"),
				   reply_string(use, "severity", "?"));
	}
	return written;
}

static const char *or_none(const char *text)
{
	return text != NULL ? text : "none";
}

/* devices: what ListDevices said, for its class; NULL: it said nothing. */
static void write_lockout(struct session *session, struct json_object *plan, struct json_object *lockout,
			  struct json_object *devices)
{
	const char *device = reply_string(lockout, "device", "?");
	const char *use = reply_string(lockout, "use", NULL);
	struct json_object *known = reply_find(devices, "address", device);

	layout_sentence_of(&session->out, "  ", 4, "%s, %s, driver %s, %s: locked out because %s is in its IOMMU group%s",
			   device, known != NULL ? reply_string(known, "class_text", "device") : "device",
			   or_none(reply_string(lockout, "driver", NULL)), reply_string(lockout, "severity", "?"),
			   reply_string(lockout, "for", "?"),
			   reply_flag(lockout, "covered") ? "" : "; that is not allowed");
	if (write_uses(session, plan, device, true) == 0 && use != NULL)
		layout_sentence_of(&session->out, "    ", 6, "used: %s", use);
}

/*
 * One device that is asked for. devices: what ListDevices said, for its driver and class; NULL: it said nothing.
 * Returns false for a device that is not there, and so can't be lost.
 */
static bool write_asked(struct session *session, struct json_object *plan, const char *address,
			struct json_object *devices)
{
	struct json_object *device = reply_find(devices, "address", address);

	if (devices != NULL && device == NULL)
		return false;
	if (device != NULL)
		layout_sentence_of(&session->out, "  ", 4, "%s, %s, driver %s: asked for", address,
				   reply_string(device, "class_text", "device"),
				   or_none(reply_string(device, "driver", NULL)));
	else
		layout_sentence_of(&session->out, "  ", 4, "%s: asked for", address);
	write_uses(session, plan, address, device != NULL);
	return true;
}

static void write_losses(struct session *session, struct json_object *plan, struct json_object *devices)
{
	struct json_object *asked = reply_list(plan, "devices");
	struct json_object *lockouts = reply_list(plan, "lockouts");
	bool something = false;

	write_heading(session, "The host loses:");
	for (size_t i = 0; i < reply_count(asked); i++) {
		const char *address = reply_string(reply_entry(asked, i), "address", "?");

		if (write_asked(session, plan, address, devices))
			something = true;
	}
	for (size_t i = 0; i < reply_count(lockouts); i++)
		write_lockout(session, plan, reply_entry(lockouts, i), devices);
	if (reply_count(lockouts) == 0)
		layout_sentence(&session->out, "  ", 4, something ? "nothing else" : "nothing");
}

static void write_blockers(struct session *session, struct json_object *blockers)
{
	write_heading(session, "What stands in the way:");
	for (size_t i = 0; i < reply_count(blockers); i++) {
		struct json_object *blocker = reply_entry(blockers, i);
		const char *remedy = reply_string(blocker, "remedy", NULL);

		layout_sentence(&session->out, "  ", 4, reply_string(blocker, "message", "?"));
		if (remedy != NULL)
			layout_sentence_of(&session->out, "    ", 6, "To resolve: %s", remedy);
	}
}

static void write_steps(struct session *session, struct json_object *steps)
{
	write_heading(session, "What would be done:");
	for (size_t i = 0; i < reply_count(steps); i++) {
		char prefix[32];

		snprintf(prefix, sizeof(prefix), "  %2zu. ", i + 1);
		layout_sentence(&session->out, prefix, 6, reply_string(reply_entry(steps, i), "text", "?"));
	}
}

static void write_plan(struct session *session, struct json_object *plan, int status, const struct device_names *names)
{
	struct json_object *blockers = reply_list(plan, "blockers");
	struct json_object *steps = reply_list(plan, "steps");
	/* What they are and who drives them adds to the answer, but the answer does not depend on it. */
	struct json_object *devices = session_ask(session, "org.ioasid1.ListDevices");

	write_verdict(session, plan, status, names);
	write_losses(session, plan, reply_list(devices, "devices"));
	if (reply_count(blockers) > 0)
		write_blockers(session, blockers);
	if (status == EXIT_DONE && reply_count(steps) > 0)
		write_steps(session, steps);
	fputs("\nNothing was changed.\n", session->out.stream);
	json_object_put(devices);
}

/* The verdict of a plan, as an exit status; -1 where it has none that makes sense. */
static int read_verdict(struct json_object *plan)
{
	int64_t status = reply_number(plan, "status", -1);

	if (status != EXIT_DONE && (status < EXIT_REFUSED || status > EXIT_UNSUPPORTED))
		return -1;
	return reply_flag(plan, "allowed") == (status == EXIT_DONE) ? (int)status : -1;
}

static int print_plan(struct session *session, struct json_object *plan, int status)
{
	struct json_object *reply = json_object_new_object();

	if (reply == NULL || json_object_object_add(reply, "plan", json_object_get(plan)) < 0)
		status = session_fail(session, EXIT_FAILED, "out of memory");
	else
		session_print_json(session, reply);
	json_object_put(reply);
	return status;
}

static int run(struct session *session)
{
	struct device_names names;
	struct json_object *reply, *plan;
	int status = device_arguments_read(session, &names);

	if (status == EXIT_DONE)
		status = session_call(session, "cannot plan", "org.ioasid1.Plan",
				      device_arguments_question(session, &names), &reply);
	if (status != EXIT_DONE)
		return status;
	plan = reply_object(reply, "plan");
	status = read_verdict(plan);
	if (plan == NULL)
		status = session_malformed(session, "there is no plan in it");
	else if (status < 0)
		status = session_malformed(session, "the plan has no verdict");
	else if (session->line->json)
		status = print_plan(session, plan, status);
	else
		write_plan(session, plan, status, &names);
	json_object_put(reply);
	return status;
}

const struct verb verb_plan = {
	.name = "plan",
	.arguments = "DEVICE...",
	.summary = "what a claim would cost the host; changes nothing",
	.text = "Says whether you may claim these devices, what the host would lose, what stands\n"
		"in the way and how to resolve it, and what would be done. Changes nothing, ever.\n"
		"The exit status is the verdict: 0 if the claim would be allowed.\n",
	.options = OPTION_MODE | OPTION_SNAPSHOT | OPTION_POLICY | OPTION_SUBJECT,
	.minimum = 1,
	.maximum = ARGUMENTS_UNLIMITED,
	.run = run,
};
