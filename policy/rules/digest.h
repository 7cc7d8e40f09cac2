/*
 * The digest of a policy: what broker and executor compare to know that they decide by the same rules. A change
 * detector, not a signature: it does not withstand a forger of two policies with the same digest.
 */
#pragma once

#include "policy.h"

/* Over everything that decides or is told, and nothing about files and lines. */
uint64_t policy_digest(const struct policy *policy);
