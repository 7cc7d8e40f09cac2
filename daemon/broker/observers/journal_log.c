#include "journal_log.h"

#include "journal_entry.h"
#include "rate_limit.h"

#include "../../../policy/util/name_table.h"
#include "../../../policy/util/text.h"
#include "../../base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What was last said of a claim that lingers: each try of its release finds the same as a rule. */
struct told {
	char claim[CLAIM_ID_MAX];
	char note[TEXT_MAX];
};

struct journal_log {
	struct arbiter *arbiter;
	struct news_listener listener;
	const char *path; /* of the journal's socket; NULL: standard error */
	int socket;
	struct rate_limit rate;
	struct name_table told; /* claim's id -> struct told */
	struct journal_log_counts counts;
	uint64_t lost; /* since the last that was taken */
	struct journal_entry entry;
};

static void write_entry(struct journal_log *journal_log)
{
	if (!journal_log->path) {
		log_line(journal_log->entry.priority, "%s", journal_log->entry.message);
		journal_log->counts.written++;
		return;
	}
	if (journal_log->lost > 0)
		journald_add(&journal_log->entry.journald, "IOASID_LOST", "%" PRIu64, journal_log->lost);
	if (journald_send(journal_log->socket, journal_log->path, &journal_log->entry.journald) < 0) {
		journal_log->counts.lost++;
		journal_log->lost++;
		return;
	}
	journal_log->counts.written++;
	journal_log->lost = 0;
}

/* Begins an entry about a claim whose sentence is "claim ID: …"; the caller adds fields and writes it. */
__attribute__((format(printf, 5, 6))) static void begin_claim(struct journal_log *journal_log, enum record_message kind,
							      const struct claim *claim, const char *device,
							      const char *format, ...)
{
	char text[768];
	va_list arguments;

	va_start(arguments, format);
	text_format_list(text, sizeof text, format, arguments);
	va_end(arguments);
	journal_entry_begin(&journal_log->entry, kind, "claim %s: %s", claim->id, text);
	journal_entry_add_claim(&journal_log->entry, claim, device);
}

/* "0000:01:00.0, 0000:01:00.1", cut where it is too long. */
static const char *list_devices(const struct claim *claim, bool lockouts, char *out, size_t size)
{
	out[0] = '\0';
	for (size_t i = 0; i < claim->device_count; i++)
		if (claim->device[i].lockout == lockouts)
			text_append(out, size, "%s%s", out[0] ? ", " : "", claim->device[i].before.name);
	return out;
}

static void hear_offer(struct journal_log *journal_log, const struct news *news)
{
	const struct claim *claim = news->claim;
	char devices[256], lockouts[256];

	if (news->device) {
		begin_claim(journal_log, RECORD_MESSAGE_GREW, claim, news->device, "%s was added", news->device);
	} else {
		list_devices(claim, true, lockouts, sizeof lockouts);
		begin_claim(journal_log, RECORD_MESSAGE_GRANTED, claim, NULL, "granted %s to uid %u (rule \"%s\")%s%s",
			    list_devices(claim, false, devices, sizeof devices), claim->uid, claim->rule,
			    lockouts[0] ? "; locked out with it: " : "", lockouts);
	}
	journald_add(&journal_log->entry.journald, "IOASID_VERDICT", "allowed");
	write_entry(journal_log);
}

/* Returns false if the uid exceeded its rate limit. */
static bool may_write(struct journal_log *journal_log, uid_t uid, uint64_t *left_out)
{
	if (rate_limit_take(&journal_log->rate, uid, clock_usec(CLOCK_MONOTONIC), left_out))
		return true;
	journal_log->counts.left_out++;
	return false;
}

static void add_left_out(struct journal_log *journal_log, uint64_t left_out)
{
	if (left_out > 0)
		journald_add(&journal_log->entry.journald, "IOASID_LEFT_OUT", "%" PRIu64, left_out);
}

/* A claim that was refused to a subject, or that failed before it was one. */
static void write_attempt(struct journal_log *journal_log, enum record_message kind, const struct news *news,
			  const char *message)
{
	uint64_t left_out = 0;

	if (!may_write(journal_log, news->subject->uid, &left_out))
		return;
	journal_entry_begin(&journal_log->entry, kind, "denied request from uid %u: %s", news->subject->uid, message);
	journal_entry_add_subject(&journal_log->entry, news->subject);
	if (news->decision)
		journal_entry_add_decision(&journal_log->entry, news->decision);
	if (news->claim)
		journald_add(&journal_log->entry.journald, "IOASID_CLAIM", "%s", news->claim->id);
	add_left_out(journal_log, left_out);
	write_entry(journal_log);
}

static void hear_failure(struct journal_log *journal_log, const struct news *news)
{
	uint64_t left_out = 0;

	if (!news->claim) {
		write_attempt(journal_log, RECORD_MESSAGE_FAILED, news, news->message);
		return;
	}
	if (!may_write(journal_log, news->claim->uid, &left_out))
		return;
	begin_claim(journal_log, RECORD_MESSAGE_FAILED, news->claim, news->device, "%s", news->message);
	journal_entry_add_result(&journal_log->entry, news->result);
	add_left_out(journal_log, left_out);
	write_entry(journal_log);
}

static void hear_ending(struct journal_log *journal_log, const struct news *news)
{
	if (news->subject)
		begin_claim(journal_log, RECORD_MESSAGE_ENDING, news->claim, NULL, "%s by uid %u", news->message,
			    news->subject->uid);
	else
		begin_claim(journal_log, RECORD_MESSAGE_ENDING, news->claim, NULL, "%s", news->message);
	if (news->subject)
		journald_add(&journal_log->entry.journald, "IOASID_ACTOR", "%u", news->subject->uid);
	write_entry(journal_log);
}

/* True if this was not said of the claim last. Without memory it is said again. */
static bool is_new(struct journal_log *journal_log, const struct claim *claim)
{
	struct told *told = name_table_find(&journal_log->told, claim->id);

	if (told && strcmp(told->note, claim->note) == 0)
		return false;
	if (!told && (told = calloc(1, sizeof *told))) {
		text_format(told->claim, sizeof told->claim, "%s", claim->id);
		if (name_table_add(&journal_log->told, told->claim, told) < 0) {
			free(told);
			told = NULL;
		}
	}
	if (told)
		text_format(told->note, sizeof told->note, "%s", claim->note);
	return true;
}

static void forget(struct journal_log *journal_log, const struct claim *claim)
{
	struct told *told = name_table_find(&journal_log->told, claim->id);

	if (!told)
		return;
	name_table_remove(&journal_log->told, told->claim);
	free(told);
}

/* A claim has come to another state. What leads to the others is told by news of its own. */
static void hear_state(struct journal_log *journal_log, const struct news *news)
{
	const struct claim *claim = news->claim;
	enum record_message kind;

	if (claim->state == news->before)
		return;
	switch (claim->state) {
	case CLAIM_LINGERING:
		if (!is_new(journal_log, claim))
			return;
		kind = RECORD_MESSAGE_LINGERING;
		break;
	case CLAIM_QUARANTINED:
		kind = RECORD_MESSAGE_QUARANTINED;
		break;
	case CLAIM_STUCK:
		kind = RECORD_MESSAGE_STUCK;
		break;
	case CLAIM_FREE:
		/* Of a claim that was never made nothing had to be proven. */
		if (news->before != CLAIM_RELEASING)
			return;
		begin_claim(journal_log, RECORD_MESSAGE_FREE, claim, NULL, "free, everything was restored");
		write_entry(journal_log);
		return;
	case CLAIM_ASKED:
	case CLAIM_PLANNED:
	case CLAIM_PREPARING:
	case CLAIM_OFFERED:
	case CLAIM_HELD:
	case CLAIM_RELEASING:
	case CLAIM_LOST:
	case CLAIM_STATE_COUNT:
	default:
		return;
	}
	begin_claim(journal_log, kind, claim, NULL, "%s: %s", claim_state_to_string(claim->state), claim->note);
	write_entry(journal_log);
}

static void hear_policy(struct journal_log *journal_log, const struct news *news)
{
	const struct policy_standing *standing = &arbiter_registry(journal_log->arbiter)->standing;
	bool none = policy_standing_denies_all(standing);

	if (news->success)
		journal_entry_begin(&journal_log->entry, RECORD_MESSAGE_POLICY_LOADED, "policy loaded: %zu rule%s",
				    news->policy->rule_count, news->policy->rule_count == 1 ? "" : "s");
	else
		journal_entry_begin(&journal_log->entry, RECORD_MESSAGE_POLICY_REFUSED, "the policy was %s: %s",
				    none ? "refused, and none is in force" : "not reloaded, the one in force stays",
				    news->message);
	journal_entry_add_policy(&journal_log->entry, news->policy);
	if (news->subject)
		journald_add(&journal_log->entry.journald, "IOASID_ACTOR", "%u", news->subject->uid);
	write_entry(journal_log);
}

static void hear_revocation(struct journal_log *journal_log, const struct news *news)
{
	begin_claim(journal_log, RECORD_MESSAGE_REVOKED, news->claim, NULL,
		    "revoked, its client is asked to release it within %.1f s%s%s", (double)news->usec / 1e6,
		    news->message && news->message[0] ? ": " : "", news->message ? news->message : "");
	if (news->message && news->message[0])
		journald_add(&journal_log->entry.journald, "IOASID_REASON", "%s", news->message);
	if (news->subject)
		journald_add(&journal_log->entry.journald, "IOASID_ACTOR", "%u", news->subject->uid);
	write_entry(journal_log);
}

/* A sentence about one device that the policy names. */
static void hear_not_ready(struct journal_log *journal_log, const struct news *news)
{
	journal_entry_begin(&journal_log->entry, RECORD_MESSAGE_NOT_READY, "%s", news->message);
	journald_add(&journal_log->entry.journald, "IOASID_DEVICE", "%s", news->device);
	write_entry(journal_log);
}

/* A sentence about a claim that stands for itself. */
static void hear_claim(struct journal_log *journal_log, enum record_message kind, const struct news *news)
{
	begin_claim(journal_log, kind, news->claim, news->device, "%s", news->message);
	journal_entry_add_result(&journal_log->entry, news->result);
	write_entry(journal_log);
}

static void hear_gone(struct journal_log *journal_log, const struct news *news)
{
	forget(journal_log, news->claim);
}

static void hear_adopted(struct journal_log *journal_log, const struct news *news)
{
	hear_claim(journal_log, RECORD_MESSAGE_ADOPTED, news);
}

static void hear_removed(struct journal_log *journal_log, const struct news *news)
{
	begin_claim(journal_log, RECORD_MESSAGE_SHRANK, news->claim, news->device, "%s was removed", news->device);
	write_entry(journal_log);
}

static void hear_revocation_step(struct journal_log *journal_log, const struct news *news)
{
	hear_claim(journal_log, RECORD_MESSAGE_REVOCATION_STEP, news);
}

static void hear_refusal(struct journal_log *journal_log, const struct news *news)
{
	const struct blocker *headline = decision_headline(news->decision);

	write_attempt(journal_log, RECORD_MESSAGE_REFUSED, news, headline ? headline->message : "it is refused");
}

static void hear_not_granted(struct journal_log *journal_log, const struct news *news)
{
	begin_claim(journal_log, RECORD_MESSAGE_NOT_GRANTED, news->claim, news->device,
		    "continues, but the new policy does not grant it: %s", news->message);
	write_entry(journal_log);
}

static void hear_device_gone(struct journal_log *journal_log, const struct news *news)
{
	if (!news->claim)
		return;
	begin_claim(journal_log, RECORD_MESSAGE_UNPLUGGED, news->claim, news->device, "%s was unplugged", news->device);
	write_entry(journal_log);
}

static void hear(void *context, const struct news *news)
{
	static void (*const hears[NEWS_KIND_COUNT])(struct journal_log * journal_log, const struct news *news) = {
		[NEWS_CLAIM] = hear_state,
		[NEWS_CLAIM_GONE] = hear_gone,
		[NEWS_CLAIM_ADOPTED] = hear_adopted,
		[NEWS_OFFERED] = hear_offer,
		[NEWS_REMOVED] = hear_removed,
		[NEWS_ENDING] = hear_ending,
		[NEWS_REVOCATION] = hear_revocation,
		[NEWS_REVOCATION_STEP] = hear_revocation_step,
		[NEWS_REFUSED] = hear_refusal,
		[NEWS_FAILED] = hear_failure,
		[NEWS_NOT_GRANTED] = hear_not_granted,
		[NEWS_DEVICE_GONE] = hear_device_gone,
		[NEWS_NOT_READY] = hear_not_ready,
		[NEWS_POLICY] = hear_policy,
	};

	if (hears[news->kind])
		hears[news->kind](context, news);
}

int journal_log_new(struct arbiter *arbiter, const char *claim_files, struct journal_log **out)
{
	struct journal_log *journal_log = calloc(1, sizeof *journal_log);

	if (!journal_log)
		return -ENOMEM;
	journal_log->arbiter = arbiter;
	journal_log->path = claim_files;
	journal_log->socket = claim_files ? journald_open() : -1;
	if (claim_files && journal_log->socket < 0) {
		int error = journal_log->socket;

		free(journal_log);
		return error;
	}
	journal_log->listener = (struct news_listener){ .hear = hear, .context = journal_log };
	arbiter_listen(arbiter, &journal_log->listener);
	*out = journal_log;
	return 0;
}

struct journal_log *journal_log_free(struct journal_log *journal_log)
{
	if (!journal_log)
		return NULL;
	arbiter_unlisten(journal_log->arbiter, &journal_log->listener);
	for (size_t i = 0; i < journal_log->told.allocated; i++)
		free(journal_log->told.slot[i].value);
	name_table_done(&journal_log->told);
	descriptor_close(&journal_log->socket);
	free(journal_log);
	return NULL;
}

struct journal_log_counts journal_log_count(const struct journal_log *journal_log)
{
	return journal_log->counts;
}
