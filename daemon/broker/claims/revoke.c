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
static uint64_t grace_of(const struct claim_runtime *runtime)
{
	const struct rule *rule = policy_find_rule(runtime->registry->policy, runtime->claim->rule);

	return rule ? rule->revoke_grace_usec : REVOKE_GRACE_USEC;
}

static int on_grace_over(sd_event_source *timer, uint64_t usec, void *context)
{
	struct claim_runtime *runtime = context;

	runtime->grace = sd_event_source_disable_unref(runtime->grace);
	claim_runtime_tell(runtime,
			   (struct news){ .kind = NEWS_ENDING, .message = "its client had time to release it" });
	release_start(runtime);
	return 0;
}

/* One line of JSON to whoever holds the lease: {"event":"revoke","grace_usec":N,"reason":TEXT}. */
static void tell_client(struct claim_runtime *runtime, uint64_t grace_usec, const char *reason)
{
	struct json_object *object = json_make_object();
	const char *text;
	char *line = NULL;

	json_set(object, "event", json_make_string("revoke"));
	json_set(object, "grace_usec", json_make_number((int64_t)grace_usec));
	json_set(object, "reason", reason[0] ? json_make_string(reason) : NULL);
	text = json_text(object);
	if (text && asprintf(&line, "%s\n", text) >= 0) {
		lease_tell(runtime, line);
		free(line);
	} else {
		log_error("claim %s: cannot ask its client to release it: out of memory", runtime->claim->id);
	}
	json_object_put(object);
}

int revoke_start(struct claim_runtime *runtime, uint64_t grace_usec, const char *reason, const struct subject *who)
{
	struct claim *claim = runtime->claim;
	char shown[TEXT_MAX] = "";
	int error;

	if (runtime->registry->ending)
		return -ESHUTDOWN;
	if (grace_usec == REVOKE_GRACE_OF_RULE)
		grace_usec = grace_of(runtime);
	if (reason)
		text_escape(shown, sizeof(shown), reason, strlen(reason));
	claim->revoked = true;
	runtime->grace = sd_event_source_disable_unref(runtime->grace);
	claim_runtime_tell(runtime, (struct news){ .kind = NEWS_REVOCATION,
						   .usec = grace_usec,
						   .subject = who,
						   .message = shown[0] ? shown : NULL });
	if (claim->state != CLAIM_HELD && claim->state != CLAIM_OFFERED && claim->state != CLAIM_LOST) {
		runtime->stops = 0;
		claim_runtime_record(runtime);
		release_start(runtime);
		return 0;
	}
	text_format(claim->note, sizeof(claim->note), "revoked by an operator%s%s", shown[0] ? ": " : "", shown);
	error = claim_runtime_record(runtime);
	if (error == 0 && grace_usec > 0)
		error = sd_event_add_time_relative(runtime->registry->event, &runtime->grace, CLOCK_MONOTONIC,
						   grace_usec, 0, on_grace_over, runtime);
	if (error < 0)
		return error;
	tell_client(runtime, grace_usec, shown);
	if (grace_usec == 0)
		release_start(runtime);
	return 0;
}
