/*
 * Reading the policy anew, in both programs or in none: it is read here first, then by the executor, and is in force
 * once both came to the same. Open claims keep what they were granted.
 */
#pragma once

#include "../claims/claim_runtime.h"

struct reloading;

/* folder lives as long. NULL: out of memory. */
struct reloading *reloading_new(struct registry *registry, const char *const *folder, size_t count);
struct reloading *reloading_free(struct reloading *reloading);

/*
 * Reads the policy. requester: whom to answer, with ANSWER_POLICY, ANSWER_POLICY_INVALID or ANSWER_FAILED; NULL:
 * nobody, and what goes wrong is logged only. While a reload is under way another one has to wait, and its requester to
 * ask again.
 */
void reloading_start(struct reloading *reloading, struct requester *requester);
/* The executor read its policy. */
void reloading_answered(struct reloading *reloading, const struct wire_policy *message);
/* The requester is gone: its reload goes on without it. */
void reloading_abandon(struct reloading *reloading, const struct requester *requester);
