/*
 * The arbiter: what every face calls, with one table of rights (rights.h). It owns the policy in force, the ledger and
 * its journal; the work is done in admit.c and release.c. Each call is answered exactly once through the requester,
 * perhaps before it returns, and not at all once the requester has left.
 */
#pragma once

#include "../claims/admit.h"
#include "../core/rights.h"
#include "device_looks.h"
#include "../claims/revoke.h"

struct arbiter;

struct arbiter_settings {
	const char *const *policy_folder; /* lives as long as the arbiter */
	size_t policy_folder_count;
	const char *runtime_folder;
	uint64_t plan_deadline_usec;
	struct fdstore *store;      /* outlives the arbiter */
	struct bus_connection *bus; /* outlives it, too; NULL: no bus is wanted */
};

struct arbiter_events {
	/* The host is known and what a crash left is being put right; -errno: what that is can't be read, after a log
	 * line. */
	void (*ready)(void *context, int error);
	void (*lost)(void *context, int error); /* the executor is gone */
};

/*
 * Loads the policy and opens the journal. Takes the executor's socket over on success. 0; -EINVAL: the policy has
 * errors, which were logged; -errno after a log line.
 */
int arbiter_new(sd_event *event, int executor, const struct arbiter_settings *settings,
		const struct arbiter_events *events, void *context, struct arbiter **out);
struct arbiter *arbiter_free(struct arbiter *arbiter);
/*
 * This program ends: from now on nothing is decided about any claim, even if clients leave. What is not
 * acknowledged is for the next start to roll back. To be called when the loop is over, before any face is freed. Takes
 * NULL.
 */
void arbiter_end(struct arbiter *arbiter);

/* What faces may look at. */
const struct registry *arbiter_registry(const struct arbiter *arbiter);
/* What the host does with devices, for lists. */
struct device_looks *arbiter_looking(const struct arbiter *arbiter);
bool arbiter_may_see(const struct arbiter *arbiter, const struct requester *requester, const struct claim *claim);
/* True if the requester counts as an operator for this request. */
bool arbiter_is_operator(const struct arbiter *arbiter, const struct requester *requester);
/*
 * True if the requester may do this; else false after an answer. claim_id: of acts that are about a claim. question: of
 * acts that are about one.
 */
bool arbiter_allow(struct arbiter *arbiter, struct requester *requester, enum act act, const char *claim_id,
		   const struct question *question);
/* What happens from now on; the listener stays the caller's, and is taken out before it is gone. */
void arbiter_listen(struct arbiter *arbiter, struct news_listener *listener);
void arbiter_unlisten(struct arbiter *arbiter, struct news_listener *listener);
/* Reads the policy again in both programs: errors are logged, and leave the one in force. */
void arbiter_reload(struct arbiter *arbiter);

/* The methods of org.ioasid1, under their names. */
void arbiter_plan(struct arbiter *arbiter, struct requester *requester, const struct question *question);
void arbiter_claim(struct arbiter *arbiter, struct requester *requester, const struct question *question);
void arbiter_acknowledge(struct arbiter *arbiter, struct requester *requester, const char *claim_id);
void arbiter_add_device(struct arbiter *arbiter, struct requester *requester, const char *claim_id, const char *device);
void arbiter_remove_device(struct arbiter *arbiter, struct requester *requester, const char *claim_id,
			   const char *device);
void arbiter_release(struct arbiter *arbiter, struct requester *requester, const char *claim_id);
/* Answers with ANSWER_RESUMED. */
void arbiter_resume(struct arbiter *arbiter, struct requester *requester, const char *claim_id);
/*
 * Answers with ANSWER_DONE once it has begun. grace_usec: REVOKE_GRACE_OF_RULE, or a time. reason may be NULL. unbind:
 * as release_waive_proof().
 */
void arbiter_revoke(struct arbiter *arbiter, struct requester *requester, const char *claim_id, uint64_t grace_usec,
		    const char *reason, bool unbind);
void arbiter_reload_policy(struct arbiter *arbiter, struct requester *requester);
void arbiter_audit(struct arbiter *arbiter, struct requester *requester);
void arbiter_snapshot(struct arbiter *arbiter, struct requester *requester, bool details);
/* The requester is gone: nothing more is answered, and what it has not acknowledged is taken back. */
void arbiter_leave(struct arbiter *arbiter, struct requester *requester);
