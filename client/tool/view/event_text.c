#include "event_text.h"

#include "../core/layout.h"
#include "../core/reply.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

struct line {
	char text[1024];
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void add(struct line *line, const char *format, ...)
{
	va_list arguments;
	int more;

	va_start(arguments, format);
	more = vsnprintf(line->text + line->used, sizeof(line->text) - line->used, format, arguments);
	va_end(arguments);
	if (more > 0)
		line->used += (size_t)more;
	if (line->used >= sizeof(line->text))
		line->used = sizeof(line->text) - 1;
}

/* "0000:01:00.0, 0000:02:00.0" */
static void add_list(struct line *line, struct json_object *list)
{
	for (size_t i = 0; i < reply_count(list); i++)
		add(line, "%s%s", i > 0 ? ", " : "", reply_text(list, i));
}

static void add_claim(struct line *line, struct json_object *claim)
{
	if (claim != NULL)
		add(line, "claim %s: ", reply_string(claim, "id", "?"));
}

/* What a claim has, in brackets. */
static void add_devices(struct line *line, struct json_object *claim)
{
	struct json_object *lockouts = reply_list(claim, "lockouts");

	add(line, " (");
	add_list(line, reply_list(claim, "devices"));
	if (reply_count(lockouts) > 0) {
		add(line, "; locked out: ");
		add_list(line, lockouts);
	}
	add(line, ")");
}

static void write_state(struct line *line, struct json_object *event, const char *message)
{
	struct json_object *claim = reply_object(event, "claim");
	const char *state = reply_string(claim, "state", "?"), *before = reply_string(event, "before", "");
	const char *note = reply_string(claim, "note", NULL);

	if (strcmp(state, before) == 0)
		add(line, "now has");
	else
		add(line, "%s", state);
	add_devices(line, claim);
	if (note != NULL)
		add(line, ": %s", note);
}

static void write_offer(struct line *line, struct json_object *event, const char *message)
{
	struct json_object *claim = reply_object(event, "claim");
	const char *name = reply_string(event, "name", NULL);

	if (name != NULL)
		add(line, "%s was added", name);
	else
		add(line, "granted to uid %" PRId64 " (rule \"%s\")", reply_number(claim, "uid", -1),
		    reply_string(claim, "rule", "?"));
}

static void write_gone(struct line *line, struct json_object *event, const char *message)
{
	const char *state = reply_string(reply_object(event, "claim"), "state", "");

	add(line, "ended%s", strcmp(state, "free") == 0 ? ", its devices are free" : "");
}

static void write_removed(struct line *line, struct json_object *event, const char *message)
{
	add(line, "%s was removed", reply_string(event, "name", "?"));
}

static void write_revocation(struct line *line, struct json_object *event, const char *message)
{
	add(line, "its client is asked to release it within %.1f s%s%s", (double)reply_number(event, "grace", 0) / 1000,
	    *message != '\0' ? ": " : "", message);
}

static void write_attempt(struct line *line, struct json_object *event, const char *message)
{
	if (reply_number(event, "uid", -1) >= 0) {
		add(line, "denied request from uid %" PRId64, reply_number(event, "uid", -1));
		if (reply_count(reply_list(event, "devices")) > 0) {
			add(line, " for ");
			add_list(line, reply_list(event, "devices"));
		}
		add(line, ": ");
	}
	add(line, "%s", message);
}

static void write_not_granted(struct line *line, struct json_object *event, const char *message)
{
	add(line, "continues, but the policy no longer grants it: %s", message);
}

static void write_device(struct line *line, struct json_object *event, const char *message)
{
	struct json_object *device = reply_object(event, "device");
	const char *driver = reply_string(device, "driver", NULL);

	add(line, "%s: %s%s, %s%s", reply_string(event, "name", "?"), reply_string(device, "state", "?"),
	    reply_flag(device, "locked_out") ? ", locked out" : "", driver != NULL ? "driver " : "no driver",
	    driver != NULL ? driver : "");
}

static void write_device_gone(struct line *line, struct json_object *event, const char *message)
{
	add(line, "%s: unplugged", reply_string(event, "name", "?"));
}

static void write_policy(struct line *line, struct json_object *event, const char *message)
{
	struct json_object *policy = reply_object(event, "policy");

	if (reply_flag(event, "success"))
		add(line, "policy loaded: %" PRId64 " rule%s, digest %s", reply_number(policy, "rules", 0),
		    reply_number(policy, "rules", 0) == 1 ? "" : "s", reply_string(policy, "digest", "?"));
	else
		add(line, "policy rejected, the previous one stays in force: %s", message);
}

static void write_ready(struct line *line, struct json_object *event, const char *message)
{
	add(line, "watching");
}

static void write_message(struct line *line, struct json_object *event, const char *message)
{
	add(line, "%s", message);
}

static const struct {
	const char *kind;
	void (*write)(struct line *line, struct json_object *event, const char *message);
} kinds[] = {
	{ "ready", write_ready },
	{ "claim", write_state },
	{ "claim-gone", write_gone },
	{ "offered", write_offer },
	{ "removed", write_removed },
	{ "ending", write_message },
	{ "revocation", write_revocation },
	{ "revocation-step", write_message },
	{ "refused", write_attempt },
	{ "failed", write_attempt },
	{ "not-granted", write_not_granted },
	{ "device", write_device },
	{ "device-gone", write_device_gone },
	{ "policy", write_policy },
};

void event_text_write(const struct layout *out, struct json_object *event)
{
	const char *kind = reply_string(event, "kind", "?"), *message = reply_string(event, "message", "");
	time_t time = (time_t)(reply_number(event, "time", 0) / 1000000);
	struct line line = { .used = 0 };
	char clock[16] = "--:--:--";
	bool known = false;
	struct tm local;

	if (localtime_r(&time, &local) != NULL)
		strftime(clock, sizeof(clock), "%H:%M:%S ", &local);
	/* Device events say by themselves whose the device is. */
	if (strncmp(kind, "device", 6) != 0)
		add_claim(&line, reply_object(event, "claim"));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds) && !known; i++)
		if (strcmp(kinds[i].kind, kind) == 0) {
			kinds[i].write(&line, event, message);
			known = true;
		}
	if (!known)
		add(&line, "%s%s%s", kind, *message != '\0' ? ": " : "", message);
	layout_sentence(out, clock, 9, line.text);
}
