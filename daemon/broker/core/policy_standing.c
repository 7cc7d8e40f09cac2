#include "policy_standing.h"

#include "../../../policy/util/json_write.h"
#include "../../../policy/report/reply_json.h"
#include "../../../policy/util/text.h"
#include "../../base/clock.h"

#include <errno.h>
#include <string.h>
#include <time.h>

enum { ERRORS_KEPT = 16 };

static void forget(struct policy_refusal *refusal)
{
	diagnostics_done(&refusal->diagnostics);
	*refusal = (struct policy_refusal){ .usec = 0 };
}

static void begin(struct policy_refusal *refusal, bool at_start)
{
	/* Until something was read without an error, nothing is in force. */
	bool still_none = at_start || refusal->at_start;

	forget(refusal);
	refusal->usec = clock_usec(CLOCK_REALTIME);
	refusal->at_start = still_none;
}

static void note_place(struct policy_standing *standing)
{
	const struct diagnostics *diagnostics = &standing->broker.diagnostics;
	const struct diagnostic *first;

	if (diagnostics->count == 0)
		diagnostics = &standing->executor.diagnostics;
	standing->place[0] = '\0';
	if (diagnostics->count == 0)
		return;
	first = &diagnostics->item[0];
	if (first->line > 0)
		text_format(standing->place, sizeof(standing->place), "%s:%u:%u: %s", first->file, first->line,
			    first->column, first->message);
	else
		text_format(standing->place, sizeof(standing->place), "%s: %s", first->file, first->message);
}

void policy_standing_refuse(struct policy_standing *standing, bool at_start, const struct diagnostics *diagnostics)
{
	struct policy_refusal *refusal = &standing->broker;

	begin(refusal, at_start);
	for (size_t i = 0; i < diagnostics->count; i++) {
		const struct diagnostic *item = &diagnostics->item[i];

		if (!item->error)
			continue;
		if (refusal->diagnostics.count == ERRORS_KEPT)
			refusal->more++;
		else
			diagnostics_add(&refusal->diagnostics, true, item->file, item->line, item->column, "%s",
					item->message);
	}
	note_place(standing);
}

void policy_standing_refuse_executor(struct policy_standing *standing, bool at_start,
				     const struct wire_refusal *message)
{
	struct policy_refusal *refusal = &standing->executor;

	/* In a reload it is asked once this program has read them without an error. */
	if (!at_start && !standing->broker.at_start)
		forget(&standing->broker);
	else if (!at_start)
		diagnostics_done(&standing->broker.diagnostics);
	begin(refusal, at_start);
	if (message->file[0])
		diagnostics_add(&refusal->diagnostics, true, message->file, message->line, message->column, "%s",
				message->message);
	else
		diagnostics_add(&refusal->diagnostics, true, "the policy files", 0, 0,
				"can't be read by the executor: %s", strerror(message->error));
	refusal->more = message->more;
	note_place(standing);
}

void policy_standing_accept(struct policy_standing *standing)
{
	forget(&standing->broker);
	forget(&standing->executor);
	standing->place[0] = '\0';
}

bool policy_standing_denies_all(const struct policy_standing *standing)
{
	return standing->broker.at_start || standing->executor.at_start;
}

static const char *refused_by(const struct policy_standing *standing)
{
	if (standing->broker.usec == 0)
		return standing->executor.usec == 0 ? "neither" : "executor";
	return standing->executor.usec == 0 ? "broker" : "both";
}

/* One sentence: what is so, and what follows. */
static const char *sentence(const struct policy_standing *standing, bool apart)
{
	if (standing->broker.at_start)
		return "the policy files were rejected when ioasidd started: no policy is in force, and every claim "
		       "is refused";
	if (standing->executor.at_start)
		return "the executor rejected the policy files when it started: every claim is refused";
	if (apart)
		return "ioasidd and its executor have different policies, as the files changed while they were "
		       "read: every claim is refused until they are reloaded";
	return "the policy files were rejected when last read: the previous policy stays in force";
}

static void tell(struct json_object *list, const char *by, const struct policy_refusal *refusal)
{
	struct json_object *items = reply_json_diagnostics(&refusal->diagnostics);

	for (size_t i = 0; items && i < json_object_array_length(items); i++) {
		struct json_object *item = json_object_get(json_object_array_get_idx(items, i));

		json_set(item, "by", json_make_string(by));
		json_add(list, item);
	}
	json_object_put(items);
}

struct json_object *policy_standing_report(const struct policy_standing *standing, bool apart, bool whole)
{
	uint64_t since =
		standing->broker.usec > standing->executor.usec ? standing->broker.usec : standing->executor.usec;
	bool denies = apart || policy_standing_denies_all(standing);
	struct json_object *object, *list;

	if (since == 0 && !apart)
		return NULL;
	object = json_make_object();
	list = json_make_array();
	json_set(object, "since", since > 0 ? json_make_number((int64_t)since) : NULL);
	json_set(object, "by", json_make_string(refused_by(standing)));
	json_set(object, "denies_all", json_make_truth(denies));
	json_set(object, "apart", json_make_truth(apart));
	json_set(object, "message", json_make_string(sentence(standing, apart)));
	if (whole) {
		tell(list, "broker", &standing->broker);
		tell(list, "executor", &standing->executor);
	}
	json_set(object, "errors", list);
	json_set(object, "more",
		 json_make_number(whole ? (int64_t)(standing->broker.more + standing->executor.more) : 0));
	return object;
}
