/*
 * The JSON that claims are asked for with, and the JSON that says what a claim is. Builds objects and text, no more.
 */
#pragma once

#include "claim_reply.h"

struct json_object;

/* {"devices": [...], "mode": ..., "lease": ..., "unit": ...}, the caller's; all but devices may be NULL. NULL: out of
 * memory. */
struct json_object *claim_json_question(const char *const *devices, size_t count, const char *mode, const char *lease,
					const char *unit);
/* {"claim": ..., "device": ...}, the caller's; device may be NULL. NULL: out of memory. */
struct json_object *claim_json_claim(const char *id, const char *device);
/*
 * Brings reply, the reply of Claim, in line with what the claim is now, with descriptors as this process has them.
 * *json: the text of it, which the caller frees. -ENOMEM: reply may have changed in part.
 */
int claim_json_describe(const struct claim_reply *is, struct json_object *reply, char **json);
/* Adds the lockouts that the reply of AddDevice names to those of reply. -ENOMEM: reply may have changed in part. */
int claim_json_merge_lockouts(struct json_object *reply, struct json_object *added);
