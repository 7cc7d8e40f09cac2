#include "take_audit.h"

#include <stdlib.h>

struct auditing {
	struct registry *registry;
	struct requester *requester; /* NULL: none is being made */
};

struct auditing *auditing_new(struct registry *registry)
{
	struct auditing *auditing = calloc(1, sizeof(*auditing));

	if (auditing)
		auditing->registry = registry;
	return auditing;
}

struct auditing *auditing_free(struct auditing *auditing)
{
	free(auditing);
	return NULL;
}

static void on_audited(void *context, int error, const struct audit_report *report)
{
	struct auditing *auditing = context;
	const struct ledger *ledger = auditing->registry->ledger;
	struct requester *requester = auditing->requester;
	struct hold_origin *origin = calloc(report->hold_count + 1, sizeof(*origin));
	bool *granted = calloc(report->access_count + 1, sizeof(*granted));
	struct audit audit = { .hold = report->hold, .origin = origin, .hold_count = report->hold_count,
			       .access = report->access, .granted = granted, .access_count = report->access_count,
			       .compared = report->compared, .error = error };

	auditing->requester = NULL;
	if (origin && granted) {
		hold_judge(report->hold, report->hold_count, ledger, report->compared, origin);
		for (size_t i = 0; i < report->access_count; i++)
			granted[i] = node_access_is_granted(&report->access[i], ledger);
		requester_answer(requester, &(struct answer){ .kind = ANSWER_AUDIT, .audit = &audit });
	} else {
		requester_answer_failed(requester, "ioasidd is out of memory", NULL);
	}
	free(origin);
	free(granted);
}

/* The contexts that we have copies of, by which the kernel tells whose a client's is. Returns how many. */
static size_t list_contexts(const struct ledger *ledger, struct audit_context *out)
{
	size_t count = 0;

	for (const struct claim *claim = ledger_first(ledger); claim; claim = ledger_next(claim))
		if (holding_of(claim)->context >= 0)
			out[count++] = (struct audit_context){ .fd = holding_of(claim)->context, .claim = claim->id };
	return count;
}

void auditing_start(struct auditing *auditing, struct requester *requester)
{
	const struct registry *registry = auditing->registry;
	struct audit_context *contexts;
	int error = -1;

	if (auditing->requester) {
		requester_answer_failed(requester, "another audit is being made: try again when it is done", NULL);
		return;
	}
	contexts = calloc(ledger_count(registry->ledger) + 1, sizeof(*contexts));
	auditing->requester = requester;
	if (contexts)
		error = host_audit(registry->host, contexts, list_contexts(registry->ledger, contexts), on_audited, auditing);
	free(contexts);
	if (error < 0) {
		auditing->requester = NULL;
		requester_answer_failed(requester, "the executor can't be asked", NULL);
	}
}

void auditing_abandon(struct auditing *auditing, const struct requester *requester)
{
	if (auditing->requester != requester)
		return;
	host_forget_questions(auditing->registry->host, auditing);
	auditing->requester = NULL;
}
