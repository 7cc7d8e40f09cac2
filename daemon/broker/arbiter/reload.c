#include "reload.h"

#include "../../base/log.h"
#include "../../base/policy_files.h"

#include <errno.h>
#include <stdlib.h>

enum { TRIES_MAX = 5 }; /* how often the files may change between the two programs' reading */

struct reloading {
	struct registry *registry;
	const char *const *folder;
	size_t folder_count;
	struct policy *next;            /* read by us, not yet by the executor; NULL: no reload is under way */
	struct diagnostics diagnostics; /* its warnings */
	struct requester *requester;
	bool again;                     /* a signal came meanwhile */
	unsigned tries;
};

struct reloading *reloading_new(struct registry *registry, const char *const *folder, size_t count)
{
	struct reloading *reloading = calloc(1, sizeof(*reloading));

	if (reloading)
		*reloading = (struct reloading){ .registry = registry, .folder = folder, .folder_count = count };
	return reloading;
}

struct reloading *reloading_free(struct reloading *reloading)
{
	if (!reloading)
		return NULL;
	policy_free(reloading->next);
	diagnostics_done(&reloading->diagnostics);
	free(reloading);
	return NULL;
}

/* Ends a reload that came to nothing. message: one sentence. */
static void refuse(struct reloading *reloading, enum answer_kind kind, const char *message)
{
	struct requester *requester = reloading->requester;

	newsroom_tell(&reloading->registry->news, &(struct news){ .kind = NEWS_POLICY, .message = message,
								  .policy = reloading->registry->policy,
								  .subject = requester ? &requester->subject : NULL });
	reloading->requester = NULL;
	reloading->next = policy_free(reloading->next);
	requester_answer(requester, &(struct answer){ .kind = kind, .message = message,
						      .diagnostics = &reloading->diagnostics });
	diagnostics_done(&reloading->diagnostics);
}

/* Reads the files into reloading->next; false after an answer. */
static bool read_files(struct reloading *reloading)
{
	int error;

	reloading->next = policy_free(reloading->next);
	diagnostics_done(&reloading->diagnostics);
	error = policy_files_load(reloading->folder, reloading->folder_count, &reloading->diagnostics,
				  &reloading->next);
	policy_files_log(&reloading->diagnostics);
	if (error == 0)
		return true;
	if (error == -EINVAL) {
		policy_standing_refuse(&reloading->registry->standing, false, &reloading->diagnostics);
		refuse(reloading, ANSWER_POLICY_INVALID, "the policy files have errors");
	} else {
		refuse(reloading, ANSWER_FAILED, "ioasidd is out of memory");
	}
	return false;
}

static void ask_executor(struct reloading *reloading)
{
	if (host_reload_policy(reloading->registry->host) < 0)
		refuse(reloading, ANSWER_FAILED, "the executor can't be asked");
}

void reloading_start(struct reloading *reloading, struct requester *requester)
{
	if (reloading->next) {
		reloading->again = reloading->again || !requester;
		requester_answer_failed(requester, "another reload is under way: try again when it is over", NULL);
		return;
	}
	reloading->requester = requester;
	reloading->tries = 0;
	if (read_files(reloading))
		ask_executor(reloading);
}

static void subject_of(void *context, const struct claim *claim, struct subject *out)
{
	const struct holding *holding = holding_of(claim);

	/* Of a claim that an earlier run made no more is known than what its file says. */
	if (holding && holding->subject_known)
		*out = holding->subject;
}

/* Both programs have it: it is in force from here on. */
static void take_over(struct reloading *reloading)
{
	struct registry *registry = reloading->registry;
	struct requester *requester = reloading->requester;
	struct regrants regrants = { .item = NULL };

	policy_free(registry->policy);
	registry->policy = reloading->next;
	policy_standing_accept(&registry->standing);
	reloading->next = NULL;
	reloading->requester = NULL;
	newsroom_tell(&registry->news, &(struct news){ .kind = NEWS_POLICY, .success = true, .policy = registry->policy,
						       .subject = requester ? &requester->subject : NULL });
	if (regrant_check(registry->policy, host_topology(registry->host), registry->ledger, subject_of, NULL,
			  &regrants) < 0)
		log_warning("out of memory: claims that the new policy does not grant are not all listed");
	for (size_t i = 0; i < regrants.count; i++)
		newsroom_tell(&registry->news,
			      &(struct news){ .kind = NEWS_NOT_GRANTED, .device = regrants.item[i].device,
					      .claim = ledger_find(registry->ledger, regrants.item[i].claim),
					      .message = regrants.item[i].reason });
	requester_answer(requester, &(struct answer){ .kind = ANSWER_POLICY, .policy = registry->policy,
						      .diagnostics = &reloading->diagnostics, .regrants = &regrants });
	regrants_done(&regrants);
	diagnostics_done(&reloading->diagnostics);
}

/* What the executor refused stands beside this program's warnings, as what this program would have refused. */
static void add_reason(struct diagnostics *diagnostics, const struct wire_refusal *message)
{
	if (message->file[0])
		diagnostics_add(diagnostics, true, message->file, message->line, message->column, "%s", message->message);
}

void reloading_answered(struct reloading *reloading, const struct wire_policy *message)
{
	if (!reloading->next)
		return;
	if (message->error != 0) {
		policy_standing_refuse_executor(&reloading->registry->standing, false, &message->refusal);
		add_reason(&reloading->diagnostics, &message->refusal);
		refuse(reloading, ANSWER_POLICY_INVALID, "the executor refused the policy files");
	} else if (message->policy_digest != reloading->next->digest) {
		/* The files changed between the two readings: our turn again, then the executor's. */
		if (++reloading->tries >= TRIES_MAX)
			refuse(reloading, ANSWER_FAILED,
			       "its files change while they are read: reload when they are at rest");
		else if (read_files(reloading) && message->policy_digest != reloading->next->digest)
			ask_executor(reloading);
	}
	if (reloading->next && message->error == 0 && message->policy_digest == reloading->next->digest)
		take_over(reloading);
	if (!reloading->next && reloading->again) {
		reloading->again = false;
		reloading_start(reloading, NULL);
	}
}

void reloading_abandon(struct reloading *reloading, const struct requester *requester)
{
	if (reloading->requester == requester)
		reloading->requester = NULL;
}
