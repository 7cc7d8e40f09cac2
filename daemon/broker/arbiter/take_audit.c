#include "take_audit.h"

#include <stdlib.h>

struct audit_request {
	struct registry *registry;
	struct requester *requester; /* NULL: none is being made */
};

struct audit_request *take_audit_new(struct registry *registry)
{
	struct audit_request *audit_request = calloc(1, sizeof(*audit_request));

	if (audit_request)
		audit_request->registry = registry;
	return audit_request;
}

struct audit_request *take_audit_free(struct audit_request *audit_request)
{
	free(audit_request);
	return NULL;
}

static void on_audited(void *context, int error, const struct audit_report *report)
{
	struct audit_request *audit_request = context;
	const struct ledger *ledger = audit_request->registry->ledger;
	struct requester *requester = audit_request->requester;
	struct hold_origin *origin = calloc(report->hold_count + 1, sizeof(*origin));
	bool *granted = calloc(report->access_count + 1, sizeof(*granted));
	struct audit audit = { .hold = report->hold,
			       .origin = origin,
			       .hold_count = report->hold_count,
			       .access = report->access,
			       .granted = granted,
			       .access_count = report->access_count,
			       .compared = report->compared,
			       .error = error };

	audit_request->requester = NULL;
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
		if (claim_runtime_of(claim)->context >= 0)
			out[count++] =
				(struct audit_context){ .fd = claim_runtime_of(claim)->context, .claim = claim->id };
	return count;
}

void take_audit_start(struct audit_request *audit_request, struct requester *requester)
{
	const struct registry *registry = audit_request->registry;
	struct audit_context *contexts;
	int error = -1;

	if (audit_request->requester) {
		requester_answer_failed(requester, "another audit is under way: try again later", NULL);
		return;
	}
	contexts = calloc(ledger_count(registry->ledger) + 1, sizeof(*contexts));
	audit_request->requester = requester;
	if (contexts)
		error = host_audit(registry->host, contexts, list_contexts(registry->ledger, contexts), on_audited,
				   audit_request);
	free(contexts);
	if (error < 0) {
		audit_request->requester = NULL;
		requester_answer_failed(requester, "cannot reach the executor", NULL);
	}
}

void take_audit_abandon(struct audit_request *audit_request, const struct requester *requester)
{
	if (audit_request->requester != requester)
		return;
	host_forget_questions(audit_request->registry->host, audit_request);
	audit_request->requester = NULL;
}
