#include "plan_text.h"

#include "../core/device_arguments.h"
#include "../core/layout.h"
#include "../core/reply.h"

#include <inttypes.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

enum { IDLE_LOSSES_MAX = 8 }; /* that are told one by one: below they are listed all the same */

int plan_text_verdict(struct json_object *plan)
{
	int64_t status = reply_number(plan, "status", -1);

	if (status != EXIT_DONE && (status < EXIT_REFUSED || status > EXIT_UNSUPPORTED))
		return -1;
	return reply_flag(plan, "allowed") == (status == EXIT_DONE) ? (int)status : -1;
}

/* Whose claim it would be: "alice", "alice in app.service". Returns out. */
static const char *subject_text(struct json_object *plan, const char *as, char *out, size_t size)
{
	uid_t uid = (uid_t)reply_number(plan, "uid", geteuid());
	const char *unit = reply_string(plan, "unit", NULL);
	struct passwd *entry = as == NULL ? getpwuid(uid) : NULL;
	char name[256];

	/* A user of another machine has a name, but no number here. */
	if (as != NULL && as[strspn(as, "0123456789")] != '\0')
		snprintf(name, sizeof(name), "%s", as);
	else if (entry != NULL)
		snprintf(name, sizeof(name), "%s", entry->pw_name);
	else
		snprintf(name, sizeof(name), "the user %lu", (unsigned long)uid);
	/* One's own unit is no news. */
	if (unit != NULL && (as != NULL || uid != geteuid()))
		snprintf(out, size, "%s in %s", name, unit);
	else
		snprintf(out, size, "%s", name);
	return out;
}

/* "rule "x", file:line", or "no rule". Returns out. */
static const char *rule_text(struct json_object *device, char *out, size_t size)
{
	const char *rule = reply_string(device, "rule", NULL);
	const char *file = reply_string(device, "rule_file", NULL);

	if (rule == NULL)
		snprintf(out, size, "no rule");
	else if (file == NULL)
		snprintf(out, size, "rule \"%s\"", rule);
	else
		snprintf(out, size, "rule \"%s\", %s:%" PRId64, rule, file, reply_number(device, "rule_line", 0));
	return out;
}

/* True if all devices are under one rule, or under none. */
static bool is_one_rule(struct json_object *devices)
{
	const char *first = reply_string(reply_entry(devices, 0), "rule", "");

	for (size_t i = 1; i < reply_count(devices); i++)
		if (strcmp(reply_string(reply_entry(devices, i), "rule", ""), first) != 0)
			return false;
	return true;
}

static void write_verdict(const struct layout *out, struct json_object *plan, int status,
			  const struct device_names *names, const char *as)
{
	static const char *const reason[] = {
		[EXIT_REFUSED] = "permission denied by policy",
		[EXIT_BUSY] = "devices are in use or claimed",
		[EXIT_UNKNOWN] = "no such device",
		[EXIT_UNSUPPORTED] = "not supported by this kernel or hardware",
	};
	struct json_object *devices = reply_list(plan, "devices");
	char user[512], asked[256], rule[768], text[1024] = "";

	subject_text(plan, as, user, sizeof(user));
	device_arguments_text(names, asked, sizeof(asked));
	rule_text(reply_entry(devices, 0), rule, sizeof(rule));
	if (is_one_rule(devices) && reply_string(reply_entry(devices, 0), "rule", NULL) != NULL)
		snprintf(text, sizeof(text), " (%s)", rule);
	layout_colour(out, status == EXIT_DONE ? COLOUR_GOOD : COLOUR_BAD);
	if (status == EXIT_DONE)
		layout_sentence_of(out, "Yes: ", 5, "%s may claim %s%s.", user, asked, text);
	else
		layout_sentence_of(out, "No: ", 4, "%s cannot claim %s%s: %s.", user, asked, text, reason[status]);
	layout_colour(out, COLOUR_NONE);
}

static void write_heading(const struct layout *out, const char *text)
{
	fputc('\n', out->stream);
	layout_colour(out, COLOUR_BOLD);
	layout_sentence(out, "", 2, text);
	layout_colour(out, COLOUR_NONE);
}

static enum colour severity_colour(const char *severity)
{
	if (strcmp(severity, "fatal") == 0)
		return COLOUR_BAD;
	return strcmp(severity, "disruptive") == 0 ? COLOUR_WARN : COLOUR_NONE;
}

/* What the host loses, in plain words: what comes first is the worst. */
static void write_losses(const struct layout *out, struct json_object *plan)
{
	struct json_object *notes = reply_list(plan, "notes");
	size_t count = 0, idle = 0;

	fputc('\n', out->stream);
	for (size_t i = 0; i < reply_count(notes); i++) {
		struct json_object *note = reply_entry(notes, i);
		const char *severity = reply_string(note, "severity", "");
		enum colour colour = severity_colour(severity);

		if (strcmp(reply_string(note, "kind", ""), "loss") != 0)
			continue;
		count++;
		idle += strcmp(severity, "idle") == 0;
		if (idle > IDLE_LOSSES_MAX)
			continue;
		if (colour != COLOUR_NONE)
			layout_colour(out, colour);
		layout_sentence_of(out, "", 2, "%s%s.",
				   colour == COLOUR_BAD    ? "FATAL: "
				   : colour == COLOUR_WARN ? "Disruptive: "
							   : "",
				   reply_string(note, "text", "?"));
		if (colour != COLOUR_NONE)
			layout_colour(out, COLOUR_NONE);
	}
	if (idle > IDLE_LOSSES_MAX)
		layout_sentence_of(out, "", 2, "It would also lose %zu more devices that nothing uses now.",
				   idle - IDLE_LOSSES_MAX);
	if (count == 0)
		layout_sentence(out, "", 2, "The host would lose nothing.");
}

/* The rule of each device, where one sentence can't say it of all. */
static void write_rules(const struct layout *out, struct json_object *plan)
{
	struct json_object *devices = reply_list(plan, "devices");
	struct json_object *chosen = reply_list(plan, "chosen");
	char rule[768];

	for (size_t i = 0; i < reply_count(chosen); i++) {
		struct json_object *choice = reply_entry(chosen, i);

		if (i == 0)
			write_heading(out, "Chosen from pools:");
		layout_sentence_of(out, "  ", 4, "any one of %s is %s: %s", reply_string(choice, "pool", "?"),
				   reply_string(choice, "device", "?"), reply_string(choice, "why", "?"));
	}
	if (is_one_rule(devices))
		return;
	write_heading(out, "The rule that decides for each device (all devices of a claim need the same rule):");
	for (size_t i = 0; i < reply_count(devices); i++) {
		struct json_object *device = reply_entry(devices, i);

		layout_sentence_of(out, "  ", 4, "%s: %s", reply_string(device, "name", "?"),
				   rule_text(device, rule, sizeof(rule)));
	}
}

/* A line for each use of a device. */
static void write_uses_of(const struct layout *out, struct json_object *plan, const char *device)
{
	struct json_object *uses = reply_list(plan, "uses");

	for (size_t i = 0; i < reply_count(uses); i++) {
		struct json_object *use = reply_entry(uses, i);

		if (strcmp(reply_string(use, "device", ""), device) == 0)
			layout_sentence_of(out, "    ", 6, "%s (%s)", reply_string(use, "text", "?"),
					   reply_string(use, "severity", "?"));
	}
}

static bool is_used(struct json_object *plan, const char *device)
{
	return reply_find(reply_list(plan, "uses"), "device", device) != NULL;
}

/* True if there is no such device: then there is nothing to tell of it. */
static bool is_unknown(struct json_object *plan, const char *device)
{
	struct json_object *blocker = reply_find(reply_list(plan, "blockers"), "device", device);
	const char *kind = reply_string(blocker, "kind", "");

	return strcmp(kind, "unknown-device") == 0 || strcmp(kind, "unknown-pool") == 0;
}

static void write_devices(const struct layout *out, struct json_object *plan)
{
	struct json_object *asked = reply_list(plan, "devices");
	struct json_object *lockouts = reply_list(plan, "lockouts");
	bool used = reply_count(lockouts) > 0;

	for (size_t i = 0; i < reply_count(asked) && !used; i++)
		used = is_used(plan, reply_string(reply_entry(asked, i), "name", "?"));
	if (!used)
		return;
	write_heading(out, "What the host uses these devices for:");
	for (size_t i = 0; i < reply_count(asked); i++) {
		const char *name = reply_string(reply_entry(asked, i), "name", "?");

		if (is_unknown(plan, name))
			continue;
		layout_sentence_of(out, "  ", 4, "%s, requested%s", name, is_used(plan, name) ? ":" : ": nothing");
		write_uses_of(out, plan, name);
	}
	for (size_t i = 0; i < reply_count(lockouts); i++) {
		struct json_object *lockout = reply_entry(lockouts, i);
		const char *name = reply_string(lockout, "device", "?");
		const char *driver = reply_string(lockout, "driver", NULL);

		layout_sentence_of(out, "  ", 4, "%s, locked out with %s%s, %s%s, %s%s", name,
				   reply_string(lockout, "for", "?"),
				   reply_flag(lockout, "covered") ? "" : " (which is not allowed)",
				   driver != NULL ? "driver " : "no driver", driver != NULL ? driver : "",
				   reply_string(lockout, "severity", "?"),
				   is_used(plan, name) ? ":" : ": nothing found");
		write_uses_of(out, plan, name);
	}
}

static void write_blockers(const struct layout *out, struct json_object *blockers)
{
	if (reply_count(blockers) == 0)
		return;
	write_heading(out, "What blocks the claim:");
	for (size_t i = 0; i < reply_count(blockers); i++) {
		struct json_object *blocker = reply_entry(blockers, i);
		const char *remedy = reply_string(blocker, "remedy", NULL);

		layout_sentence(out, "  ", 4, reply_string(blocker, "message", "?"));
		if (remedy != NULL)
			layout_sentence_of(out, "    ", 6, "To resolve: %s", remedy);
	}
}

/* The notes of some kinds under a heading; kinds ends with NULL. */
static void write_notes(const struct layout *out, struct json_object *plan, const char *heading,
			const char *const *kinds)
{
	struct json_object *notes = reply_list(plan, "notes");
	bool any = false;

	for (; *kinds != NULL; kinds++) {
		for (size_t i = 0; i < reply_count(notes); i++) {
			struct json_object *note = reply_entry(notes, i);

			if (strcmp(reply_string(note, "kind", ""), *kinds) != 0)
				continue;
			if (!any)
				write_heading(out, heading);
			any = true;
			layout_sentence(out, "  ", 4, reply_string(note, "text", "?"));
		}
	}
}

static void write_steps(const struct layout *out, struct json_object *steps)
{
	if (reply_count(steps) == 0)
		return;
	write_heading(out, "Steps:");
	for (size_t i = 0; i < reply_count(steps); i++) {
		char prefix[32];

		snprintf(prefix, sizeof(prefix), "  %2zu. ", i + 1);
		layout_sentence(out, prefix, 6, reply_string(reply_entry(steps, i), "text", "?"));
	}
}

void plan_text_write(const struct layout *out, struct json_object *plan, const struct device_names *names,
		     const char *as)
{
	static const char *const undone[] = { "not-undone", NULL };
	static const char *const reset[] = { "reset", NULL };
	static const char *const apart[] = { "no-iommu", "interrupts", "peers", "functions", "slot", NULL };
	int status = plan_text_verdict(plan);

	write_verdict(out, plan, status, names, as);
	write_losses(out, plan);
	write_rules(out, plan);
	write_blockers(out, reply_list(plan, "blockers"));
	write_devices(out, plan);
	if (status == EXIT_DONE)
		write_steps(out, reply_list(plan, "steps"));
	write_notes(out, plan, "What cannot be undone:", undone);
	write_notes(out, plan, "Reset:", reset);
	write_notes(out, plan, "Isolation:", apart);
	fputs("\nNothing was changed.\n", out->stream);
}
