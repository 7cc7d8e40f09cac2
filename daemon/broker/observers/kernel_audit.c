#include "kernel_audit.h"

#include "rate_limit.h"

#include "../../../policy/util/name_table.h"
#include "../../../policy/util/text.h"
#include "../../base/clock.h"
#include "../../base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What has begun with a claim, and has to be told as a success or as a failure: whichever is open says failure. */
struct deed {
	char claim[CLAIM_ID_MAX];
	bool grants;
	char device[DEVICE_NAME_MAX]; /* that is being added; "" the claim is new */
	bool releases;
	bool acted; /* by an operator, or its owner: */
	uid_t actor;
	char told[TEXT_MAX]; /* why its release failed last: each try of it finds the same as a rule */
};

struct kernel_audit {
	struct arbiter *arbiter;
	struct news_listener listener;
	struct rate_limit rate;
	struct name_table done_plans; /* claim's id -> struct deed */
	struct audit_counts counts;
	bool complained; /* a failure was logged, and nothing was written since */
	struct audit_record record;
};

static void count_failure(struct kernel_audit *trail, int error)
{
	trail->counts.failed++;
	if (!trail->complained)
		log_error("the kernel's audit log rejects records: %s", strerror(error));
	trail->complained = true;
}

static void on_recorded(void *context, int error)
{
	struct kernel_audit *trail = context;

	if (error == EPROTONOSUPPORT) {
		trail->counts.unsupported++;
	} else if (error != 0) {
		count_failure(trail, error);
	} else {
		trail->counts.written++;
		trail->complained = false;
	}
}

static void begin(struct kernel_audit *trail, enum record_kind kind, uid_t uid, pid_t pid, const char *unit,
		  const char *text)
{
	audit_record_begin(&trail->record, kind, uid, pid, unit);
	trail->record.policy_digest = arbiter_registry(trail->arbiter)->policy->digest;
	if (text)
		text_escape(trail->record.text, sizeof(trail->record.text), text, strlen(text));
}

/* Sends what was begun; it says failure unless it was committed. */
static void finish(struct kernel_audit *trail)
{
	int error = host_record(arbiter_registry(trail->arbiter)->host, &trail->record, on_recorded, trail);

	if (error < 0)
		count_failure(trail, -error);
}

/* A record about a claim, or about one device of it. */
static void begin_claim(struct kernel_audit *trail, enum record_kind kind, const struct claim *claim,
			const char *device, const char *text)
{
	int32_t group = -1;

	begin(trail, kind, claim->uid, claim->pid, claim->unit, text);
	text_format(trail->record.claim, sizeof(trail->record.claim), "%s", claim->id);
	text_format(trail->record.rule, sizeof(trail->record.rule), "%s", claim->rule);
	for (size_t i = 0; device && i < claim->device_count; i++)
		if (strcmp(claim->device[i].before.name, device) == 0)
			group = claim->device[i].before.group;
	if (device)
		audit_record_add_device(&trail->record, device, false);
	for (size_t i = 0; i < claim->device_count; i++) {
		const struct claim_device *entry = &claim->device[i];

		if (!device || (entry->lockout && group >= 0 && entry->before.group == group))
			audit_record_add_device(&trail->record, entry->before.name, entry->lockout);
	}
}

static void write_claim(struct kernel_audit *trail, enum record_kind kind, const struct claim *claim,
			const char *device, bool success, const char *text)
{
	begin_claim(trail, kind, claim, device, text);
	if (success)
		audit_record_commit(&trail->record);
	finish(trail);
}

static struct deed *deed_of(struct kernel_audit *trail, const struct claim *claim)
{
	struct deed *deed = name_table_find(&trail->done_plans, claim->id);

	if (deed)
		return deed;
	deed = calloc(1, sizeof(*deed));
	if (!deed)
		return NULL;
	text_format(deed->claim, sizeof(deed->claim), "%s", claim->id);
	if (name_table_add(&trail->done_plans, deed->claim, deed) == 0)
		return deed;
	free(deed);
	return NULL;
}

static void open_grant(struct kernel_audit *trail, const struct claim *claim, const char *device)
{
	struct deed *deed = deed_of(trail, claim);

	if (!deed)
		return;
	deed->grants = true;
	text_format(deed->device, sizeof(deed->device), "%s", device ? device : "");
}

/* Without memory for its deed a grant is told as one all the same. */
static void commit_grant(struct kernel_audit *trail, const struct claim *claim, const char *device)
{
	struct deed *deed = name_table_find(&trail->done_plans, claim->id);

	if (deed)
		deed->grants = false;
	write_claim(trail, RECORD_GRANT, claim, device, true, NULL);
}

static bool has_open_grant(const struct kernel_audit *trail, const struct claim *claim)
{
	const struct deed *deed = name_table_find(&trail->done_plans, claim->id);

	return deed && deed->grants;
}

static void close_grant(struct kernel_audit *trail, const struct claim *claim, const char *why)
{
	struct deed *deed = name_table_find(&trail->done_plans, claim->id);

	if (!deed || !deed->grants)
		return;
	deed->grants = false;
	write_claim(trail, RECORD_GRANT, claim, deed->device[0] ? deed->device : NULL, false, why);
}

static void close_release(struct kernel_audit *trail, const struct claim *claim, bool success, const char *why)
{
	struct deed *deed = name_table_find(&trail->done_plans, claim->id);

	if (!deed || !deed->releases)
		return;
	deed->releases = false;
	if (!success && strcmp(deed->told, why) == 0)
		return;
	text_format(deed->told, sizeof(deed->told), "%s", success ? "" : why);
	begin_claim(trail, RECORD_RELEASE, claim, NULL, why);
	if (deed->acted)
		trail->record.actor = deed->actor;
	if (success)
		audit_record_commit(&trail->record);
	finish(trail);
}

static void hear_state(struct kernel_audit *trail, const struct news *news)
{
	const struct claim *claim = news->claim;
	struct deed *deed;

	if (claim->state == news->before)
		return;
	switch (claim->state) {
	case CLAIM_PREPARING:
		open_grant(trail, claim, NULL);
		break;
	case CLAIM_RELEASING:
		close_grant(trail, claim, "it was released before its client received it");
		deed = deed_of(trail, claim);
		if (deed)
			deed->releases = true;
		break;
	case CLAIM_FREE:
		close_grant(trail, claim, claim->note);
		close_release(trail, claim, true, NULL);
		break;
	case CLAIM_LINGERING:
	case CLAIM_QUARANTINED:
	case CLAIM_STUCK:
		close_grant(trail, claim, claim->note);
		close_release(trail, claim, false, claim->note);
		break;
	case CLAIM_ASKED:
	case CLAIM_PLANNED:
	case CLAIM_OFFERED:
	case CLAIM_HELD:
	case CLAIM_LOST:
	case CLAIM_STATE_COUNT:
	default:
		break;
	}
}

static void hear_end(struct kernel_audit *trail, const struct claim *claim)
{
	struct deed *deed = name_table_find(&trail->done_plans, claim->id);

	close_grant(trail, claim, claim->note);
	close_release(trail, claim, false, "its result is unknown");
	if (!deed)
		return;
	name_table_remove(&trail->done_plans, deed->claim);
	free(deed);
}

/* False: this user has had too many of what he can bring about as fast as he likes. */
static bool may_write(struct kernel_audit *trail, uid_t uid)
{
	uint64_t left_out;

	if (rate_limit_take(&trail->rate, uid, clock_usec(CLOCK_MONOTONIC), &left_out))
		return true;
	trail->counts.left_out++;
	return false;
}

/* A claim, or an addition to one, that somebody asked for and that came to nothing before it began. */
static void write_attempt(struct kernel_audit *trail, enum record_kind kind, const struct news *news, const char *text)
{
	const struct decision *decision = news->decision;
	const struct blocker *headline = decision ? decision_headline(decision) : NULL;

	if (!may_write(trail, news->subject->uid))
		return;
	begin(trail, kind, news->subject->uid, news->subject->pid, news->subject->unit, text);
	if (headline)
		text_format(trail->record.rule, sizeof(trail->record.rule), "%s", headline->rule);
	if (news->claim)
		text_format(trail->record.claim, sizeof(trail->record.claim), "%s", news->claim->id);
	for (size_t i = 0; decision && i < decision->device_count; i++)
		audit_record_add_device(&trail->record, decision->device[i].device, false);
	for (size_t i = 0; decision && i < decision->lockout_count; i++)
		audit_record_add_device(&trail->record, decision->lockout[i].device, true);
	finish(trail);
}

static void hear_failure(struct kernel_audit *trail, const struct news *news)
{
	if (!news->claim)
		write_attempt(trail, RECORD_GRANT, news, news->message);
	else if (has_open_grant(trail, news->claim))
		close_grant(trail, news->claim, news->message);
	else if (may_write(trail, news->claim->uid))
		write_claim(trail, RECORD_RELEASE, news->claim, news->device, false, news->message);
}

static void hear_refusal(struct kernel_audit *trail, const struct news *news)
{
	const struct blocker *headline = decision_headline(news->decision);

	write_attempt(trail, RECORD_REFUSAL, news, headline ? headline->message : NULL);
}

/* Whoever asks for the end of a claim is the actor of its release. */
static void hear_ending(struct kernel_audit *trail, const struct news *news)
{
	struct deed *deed = news->subject ? deed_of(trail, news->claim) : NULL;

	if (!deed)
		return;
	deed->acted = true;
	deed->actor = news->subject->uid;
}

static void hear_revocation(struct kernel_audit *trail, const struct news *news)
{
	hear_ending(trail, news);
	begin_claim(trail, RECORD_REVOCATION, news->claim, NULL, news->message);
	if (news->subject)
		trail->record.actor = news->subject->uid;
	audit_record_commit(&trail->record);
	finish(trail);
}

/* What was done to a process or unit that held what was revoked; that mappings were removed is the claim's own matter.
 */
static void hear_stop(struct kernel_audit *trail, const struct news *news)
{
	if (news->stop == REVOKE_STOP_NOTHING)
		return;
	begin_claim(trail, RECORD_STOP, news->claim, NULL, news->message);
	trail->record.pid = claim_runtime_of(news->claim)->holder_pid;
	trail->record.unit[0] = '\0';
	if (news->success)
		audit_record_commit(&trail->record);
	finish(trail);
}

static void hear_policy(struct kernel_audit *trail, const struct news *news)
{
	begin(trail, RECORD_POLICY_LOAD, news->subject ? news->subject->uid : 0, news->subject ? news->subject->pid : 0,
	      news->subject ? news->subject->unit : NULL, news->message);
	if (news->success)
		audit_record_commit(&trail->record);
	finish(trail);
}

static void hear_gone(struct kernel_audit *trail, const struct news *news)
{
	hear_end(trail, news->claim);
}

static void hear_adopted(struct kernel_audit *trail, const struct news *news)
{
	/* A run that ended in the middle of it had no time to say so. */
	if (news->before == CLAIM_PREPARING)
		write_claim(trail, RECORD_GRANT, news->claim, NULL, false, "ioasidd exited while it was being made");
}

static void hear_grows(struct kernel_audit *trail, const struct news *news)
{
	open_grant(trail, news->claim, news->device);
}

static void hear_offered(struct kernel_audit *trail, const struct news *news)
{
	commit_grant(trail, news->claim, news->device);
}

static void hear_removed(struct kernel_audit *trail, const struct news *news)
{
	write_claim(trail, RECORD_RELEASE, news->claim, news->device, true, NULL);
}

static void hear(void *context, const struct news *news)
{
	static void (*const hears[NEWS_KIND_COUNT])(struct kernel_audit * trail, const struct news *news) = {
		[NEWS_CLAIM] = hear_state,     [NEWS_CLAIM_GONE] = hear_gone,       [NEWS_CLAIM_ADOPTED] = hear_adopted,
		[NEWS_GROWS] = hear_grows,     [NEWS_OFFERED] = hear_offered,       [NEWS_REMOVED] = hear_removed,
		[NEWS_ENDING] = hear_ending,   [NEWS_REVOCATION] = hear_revocation, [NEWS_REVOCATION_STEP] = hear_stop,
		[NEWS_REFUSED] = hear_refusal, [NEWS_FAILED] = hear_failure,        [NEWS_POLICY] = hear_policy,
	};

	if (hears[news->kind])
		hears[news->kind](context, news);
}

int kernel_audit_new(struct arbiter *arbiter, struct kernel_audit **out)
{
	struct kernel_audit *trail = calloc(1, sizeof(*trail));

	if (!trail)
		return -ENOMEM;
	trail->arbiter = arbiter;
	trail->listener = (struct news_listener){ .hear = hear, .context = trail };
	arbiter_listen(arbiter, &trail->listener);
	*out = trail;
	return 0;
}

struct kernel_audit *kernel_audit_free(struct kernel_audit *trail)
{
	if (!trail)
		return NULL;
	arbiter_unlisten(trail->arbiter, &trail->listener);
	host_forget_questions(arbiter_registry(trail->arbiter)->host, trail);
	for (size_t i = 0; i < trail->done_plans.allocated; i++)
		free(trail->done_plans.slot[i].value);
	name_table_done(&trail->done_plans);
	free(trail);
	return NULL;
}

struct audit_counts kernel_audit_count(const struct kernel_audit *trail)
{
	return trail->counts;
}
