#include "reload.h"

#include "../../base/log.h"
#include "../../base/policy_files.h"

#include <errno.h>
#include <stdlib.h>

enum { TRIES_MAX = 5 }; /* how often the files may change between the two programs' reading */

struct reload {
	struct registry *registry;
	const char *const *folder;
	size_t folder_count;
	struct policy *next;            /* read by us, not yet by the executor; NULL: no reload is under way */
	struct diagnostics diagnostics; /* its warnings */
	struct requester *requester;
	bool again; /* a signal came meanwhile */
	unsigned tries;
};

struct reload *reload_new(struct registry *registry, const char *const *folder, size_t count)
{
	struct reload *reload = calloc(1, sizeof(*reload));

	if (reload)
		*reload = (struct reload){ .registry = registry, .folder = folder, .folder_count = count };
	return reload;
}

struct reload *reload_free(struct reload *reload)
{
	if (!reload)
		return NULL;
	policy_free(reload->next);
	diagnostics_done(&reload->diagnostics);
	free(reload);
	return NULL;
}

/* Ends a reload that came to nothing. message: one sentence. */
static void refuse(struct reload *reload, enum answer_kind kind, const char *message)
{
	struct requester *requester = reload->requester;

	newsroom_tell(&reload->registry->news, &(struct news){ .kind = NEWS_POLICY,
							       .message = message,
							       .policy = reload->registry->policy,
							       .subject = requester ? &requester->subject : NULL });
	reload->requester = NULL;
	reload->next = policy_free(reload->next);
	requester_answer(requester,
			 &(struct answer){ .kind = kind, .message = message, .diagnostics = &reload->diagnostics });
	diagnostics_done(&reload->diagnostics);
}

/* Reads the files into reloading->next; false after an answer. */
static bool read_files(struct reload *reload)
{
	int error;

	reload->next = policy_free(reload->next);
	diagnostics_done(&reload->diagnostics);
	error = policy_files_load(reload->folder, reload->folder_count, &reload->diagnostics, &reload->next);
	policy_files_log(&reload->diagnostics);
	if (error == 0)
		return true;
	if (error == -EINVAL) {
		policy_standing_refuse(&reload->registry->standing, false, &reload->diagnostics);
		refuse(reload, ANSWER_POLICY_INVALID, "the policy files have errors");
	} else {
		refuse(reload, ANSWER_FAILED, "ioasidd is out of memory");
	}
	return false;
}

static void ask_executor(struct reload *reload)
{
	if (host_reload_policy(reload->registry->host) < 0)
		refuse(reload, ANSWER_FAILED, "cannot reach the executor");
}

void reload_start(struct reload *reload, struct requester *requester)
{
	if (reload->next) {
		reload->again = reload->again || !requester;
		requester_answer_failed(requester, "another reload is under way: try again later", NULL);
		return;
	}
	reload->requester = requester;
	reload->tries = 0;
	if (read_files(reload))
		ask_executor(reload);
}

static void subject_of(void *context, const struct claim *claim, struct subject *out)
{
	const struct claim_runtime *runtime = claim_runtime_of(claim);

	/* Of a claim that an earlier run made no more is known than what its file says. */
	if (runtime && runtime->subject_known)
		*out = runtime->subject;
}

/* Both programs have it: it is in force from here on. */
static void take_over(struct reload *reload)
{
	struct registry *registry = reload->registry;
	struct requester *requester = reload->requester;
	struct regrants regrants = { .item = NULL };

	policy_free(registry->policy);
	registry->policy = reload->next;
	policy_standing_accept(&registry->standing);
	reload->next = NULL;
	reload->requester = NULL;
	newsroom_tell(&registry->news, &(struct news){ .kind = NEWS_POLICY,
						       .success = true,
						       .policy = registry->policy,
						       .subject = requester ? &requester->subject : NULL });
	if (regrant_check(registry->policy, host_topology(registry->host), registry->ledger, subject_of, NULL,
			  &regrants) < 0)
		log_warning("out of memory: claims that the new policy does not grant are not all listed");
	for (size_t i = 0; i < regrants.count; i++)
		newsroom_tell(&registry->news,
			      &(struct news){ .kind = NEWS_NOT_GRANTED,
					      .device = regrants.item[i].device,
					      .claim = ledger_find(registry->ledger, regrants.item[i].claim),
					      .message = regrants.item[i].reason });
	requester_answer(requester, &(struct answer){ .kind = ANSWER_POLICY,
						      .policy = registry->policy,
						      .diagnostics = &reload->diagnostics,
						      .regrants = &regrants });
	regrants_done(&regrants);
	diagnostics_done(&reload->diagnostics);
}

/* What the executor refused stands beside this program's warnings, as what this program would have refused. */
static void add_reason(struct diagnostics *diagnostics, const struct wire_refusal *message)
{
	if (message->file[0])
		diagnostics_add(diagnostics, true, message->file, message->line, message->column, "%s",
				message->message);
}

void reload_answered(struct reload *reload, const struct wire_policy *message)
{
	if (!reload->next)
		return;
	if (message->error != 0) {
		policy_standing_refuse_executor(&reload->registry->standing, false, &message->refusal);
		add_reason(&reload->diagnostics, &message->refusal);
		refuse(reload, ANSWER_POLICY_INVALID, "the executor rejected the policy files");
	} else if (message->policy_digest != reload->next->digest) {
		/* The files changed between the two readings: our turn again, then the executor's. */
		if (++reload->tries >= TRIES_MAX)
			refuse(reload, ANSWER_FAILED, "its files changed while they were read: reload again");
		else if (read_files(reload) && message->policy_digest != reload->next->digest)
			ask_executor(reload);
	}
	if (reload->next && message->error == 0 && message->policy_digest == reload->next->digest)
		take_over(reload);
	if (!reload->next && reload->again) {
		reload->again = false;
		reload_start(reload, NULL);
	}
}

void reload_abandon(struct reload *reload, const struct requester *requester)
{
	if (reload->requester == requester)
		reload->requester = NULL;
}
