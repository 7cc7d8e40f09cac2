/*
 * Reading the policy again, in both programs or in neither: it is read here first, then by the executor, and is in
 * force once both came to the same. Open claims keep what they were granted.
 */
#pragma once

#include "../claims/claim_runtime.h"

struct reload;

/* folder lives as long. NULL: out of memory. */
struct reload *reload_new(struct registry *registry, const char *const *folder, size_t count);
struct reload *reload_free(struct reload *reload);

/*
 * Reads the policy. requester: whom to answer, with ANSWER_POLICY, ANSWER_POLICY_INVALID or ANSWER_FAILED; NULL:
 * nobody, and what goes wrong is logged only. While a reload is under way another one has to wait, and its requester to
 * ask again.
 */
void reload_start(struct reload *reload, struct requester *requester);
/* The executor read its policy. */
void reload_answered(struct reload *reload, const struct wire_policy *message);
/* The requester is gone: its reload goes on without it. */
void reload_abandon(struct reload *reload, const struct requester *requester);
