/*
 * Taking a claim back from its client, in steps that can be seen: the client is asked, and gets time; then the claim is
 * released as if its lease had ended. Who holds it still loses its mappings, and is stopped where the rule says so;
 * until it is proven free the claim lingers. (HAZARDS H-18: VFIO itself has no revoke.)
 */
#pragma once

#include "claim_runtime.h"

/* In place of a time: that of the claim's rule. */
#define REVOKE_GRACE_OF_RULE UINT64_MAX

/*
 * Begins; a claim that is being asked back already gets the new time. grace_usec 0: at once. reason may be NULL; who:
 * the operator, NULL: it goes on after a restart. Claims that are being released already are only marked, so that who
 * keeps them may be stopped. 0 or -errno.
 */
int revoke_start(struct claim_runtime *runtime, uint64_t grace_usec, const char *reason, const struct subject *who);
