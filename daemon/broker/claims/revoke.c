#include "revoke.h"

#include "lease.h"
#include "release.h"

#include "../../../policy/util/json_write.h"
#include "../../../policy/util/text.h"
#include "../../base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* The time that the rule that granted it gives, or the usual one if that rule is no more. */
static uint64_t grace_of(const struct holding *holding)
{
	const struct rule *rule = policy_find_rule(holding->registry->policy, holding->claim->rule);

	return rule ? rule->revoke_grace_usec : REVOKE_GRACE_USEC;
}

static int on_grace_over(sd_event_source *timer, uint64_t usec, void *context)
{
	struct holding *holding = context;

	holding->grace = sd_event_source_disable_unref(holding->grace);
	holding_tell(holding, (struct news){ .kind = NEWS_ENDING, .message = "its client had time to give it back" });
	releasing_start(holding);
	return 0;
}

/* One line of JSON to whoever holds the lease: {"event":"revoke","grace_usec":N,"reason":TEXT}. */
static void tell_client(struct holding *holding, uint64_t grace_usec, const char *reason)
{
	struct json_object *object = json_make_object();
	const char *text;
	char *line = NULL;

	json_set(object, "event", json_make_string("revoke"));
	json_set(object, "grace_usec", json_make_number((int64_t)grace_usec));
	json_set(object, "reason", reason[0] ? json_make_string(reason) : NULL);
	text = json_text(object);
	if (text && asprintf(&line, "%s\n", text) >= 0) {
		lease_tell(holding, line);
		free(line);
	} else {
		log_error("claim %s: its client can't be asked to give it back: out of memory", holding->claim->id);
	}
	json_object_put(object);
}

int revoking_start(struct holding *holding, uint64_t grace_usec, const char *reason, const struct subject *who)
{
	struct claim *claim = holding->claim;
	char shown[TEXT_MAX] = "";
	int error;

	if (holding->registry->ending)
		return -ESHUTDOWN;
	if (grace_usec == REVOKE_GRACE_OF_RULE)
		grace_usec = grace_of(holding);
	if (reason)
		text_escape(shown, sizeof(shown), reason, strlen(reason));
	claim->revoked = true;
	holding->grace = sd_event_source_disable_unref(holding->grace);
	holding_tell(holding, (struct news){ .kind = NEWS_REVOCATION, .usec = grace_usec, .subject = who,
					     .message = shown[0] ? shown : NULL });
	if (claim->state != CLAIM_HELD && claim->state != CLAIM_OFFERED && claim->state != CLAIM_LOST) {
		holding->stops = 0;
		holding_journal(holding);
		releasing_start(holding);
		return 0;
	}
	text_format(claim->note, sizeof(claim->note), "an operator takes it back%s%s", shown[0] ? ": " : "", shown);
	error = holding_journal(holding);
	if (error == 0 && grace_usec > 0)
		error = sd_event_add_time_relative(holding->registry->event, &holding->grace, CLOCK_MONOTONIC, grace_usec, 0,
						   on_grace_over, holding);
	if (error < 0)
		return error;
	tell_client(holding, grace_usec, shown);
	if (grace_usec == 0)
		releasing_start(holding);
	return 0;
}
