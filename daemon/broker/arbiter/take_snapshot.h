/*
 * Making a snapshot of the host: all devices, and a survey of them, a batch after the other, so that no message and no
 * turn of the loop is long. One is made at a time. Decides nothing.
 */
#pragma once

#include "../claims/claim_runtime.h"

struct snapshot_request;

struct snapshot_request *take_snapshot_new(struct registry *registry); /* NULL: out of memory */
struct snapshot_request *take_snapshot_free(struct snapshot_request *snapshot_request);

/*
 * Starts, for an operator. Answers with ANSWER_SNAPSHOT, or ANSWER_FAILED. details: mount points, addresses and
 * processes are in it.
 */
void take_snapshot_start(struct snapshot_request *snapshot_request, struct requester *requester, bool details);
/* The requester is gone: so is its snapshot. */
void take_snapshot_abandon(struct snapshot_request *snapshot_request, const struct requester *requester);
