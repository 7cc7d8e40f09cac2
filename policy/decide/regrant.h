/*
 * Which claims a policy would not grant as they stand: what a reload leaves to its owners, and tells the operator.
 * Changes no claim.
 */
#pragma once

#include "../model/ledger.h"
#include "../rules/policy.h"

/* Why a device of a claim would not be granted any more. */
struct regrant {
	char claim[CLAIM_ID_MAX];
	char device[DEVICE_NAME_MAX]; /* asked for, or locked out */
	char reason[2 * TEXT_MAX];    /* one sentence */
};

struct regrants {
	struct regrant *item;
	size_t count;
	size_t allocated;
};

/* Fills in who the claim's client was. */
typedef void (*regrant_subject)(void *context, const struct claim *claim, struct subject *out);

/*
 * Appends what the policy would refuse of the claims that are being made or held: each device once, with the first
 * reason. Devices count as they were before the claim took them; what the host would do with them now is not looked at.
 * 0 or -ENOMEM.
 */
int regrant_check(const struct policy *policy, const struct topology *topology, const struct ledger *ledger,
		  regrant_subject subject, void *context, struct regrants *out);
void regrants_done(struct regrants *regrants);
