#include "admission.h"

#include "../plans/plan_admit.h"

#include "../../policy/util/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Which context a claim has, by its key; what hangs on the ledger's claims. */
struct attachment {
	char key[24]; /* "": none was seen */
};

static bool attach(struct claim *claim)
{
	if (!claim->attachment)
		claim->attachment = calloc(1, sizeof(struct attachment));
	return claim->attachment;
}

static void note_context(struct claim *claim, const struct context *context)
{
	struct attachment *attachment = claim ? claim->attachment : NULL;

	if (attachment && context)
		memcpy(attachment->key, context->key, sizeof(attachment->key));
}

/* The context that came with a plan has to be the claim's, and not another claim's. What is no context its step
 * refuses. */
static bool is_context_right(const struct run *run, const struct claim *claim, char why[static TEXT_MAX])
{
	const struct context *context =
		run->passed_context >= 0 ? kernel_context_of(run->machine, run->passed_context) : NULL;
	const struct attachment *attachment = claim->attachment;

	if (run->passed_context < 0 || !attachment || (context && strcmp(attachment->key, context->key) == 0))
		return true;
	text_format(why, TEXT_MAX, "the context passed with the plan does not belong to the claim %s", claim->id);
	return false;
}

static bool enter_claim(struct run *run, char why[static TEXT_MAX])
{
	struct ledger *given = run->machine->given;
	const struct claim *had = ledger_find(given, run->owner.claim);

	if (had && !is_context_right(run, had, why))
		return false;
	if (!given_take(given, run->policy->policy, run->machine->topology, &run->machine->kernel, &run->plan,
			&run->owner, run->passed_context >= 0, &run->change, why))
		return false;
	if (attach(ledger_find(given, run->owner.claim)))
		return true;
	given_settle(given, &run->change, GIVEN_UNDONE);
	text_format(why, TEXT_MAX, "the simulator is out of memory");
	return false;
}

static bool enter_release(struct run *run, char why[static TEXT_MAX])
{
	const struct claim *claim = ledger_find(run->machine->given, run->owner.claim);

	return (!claim || is_context_right(run, claim, why)) &&
	       given_match_release(run->machine->given, run->policy->policy, run->machine->topology, &run->plan,
				   &run->owner, run->passed_context >= 0, &run->change, why);
}

bool admission_enter(struct run *run, char why[static TEXT_MAX])
{
	/* Whatever policy says by now, what was given has to be put back. */
	if (run->kind == WIRE_PLAN_CLAIM && !plan_admit_policy(run->policy_digest, run->policy->policy, why))
		return false;
	return run->kind == WIRE_PLAN_RELEASE ? enter_release(run, why) : enter_claim(run, why);
}

void admission_settle(struct run *run)
{
	struct claim *claim = ledger_find(run->machine->given, run->change.claim);
	enum given_end end = plan_admit_end((enum wire_outcome)run->result.outcome);

	if (claim && given_ends_claim(&run->change, end)) {
		free(claim->attachment);
		claim->attachment = NULL;
	} else if (end == GIVEN_DONE && run->change.effect == GIVEN_CLAIM) {
		note_context(claim, run->context);
	}
	given_settle(run->machine->given, &run->change, end);
}

void admission_forget(struct machine *machine)
{
	struct claim *claim;

	while ((claim = ledger_first(machine->given))) {
		free(claim->attachment);
		ledger_remove(machine->given, claim);
	}
}
