/*
 * Making a snapshot of the host: all devices, and a survey of them, a batch after the other, so that no message and no
 * turn of the loop is long. One is made at a time. Decides nothing.
 */
#pragma once

#include "../claims/claim_runtime.h"

struct snapshotting;

struct snapshotting *snapshotting_new(struct registry *registry); /* NULL: out of memory */
struct snapshotting *snapshotting_free(struct snapshotting *snapshotting);

/*
 * Starts, for an operator. Answers with ANSWER_SNAPSHOT, or ANSWER_FAILED. details: mount points, addresses and
 * processes are in it.
 */
void snapshotting_start(struct snapshotting *snapshotting, struct requester *requester, bool details);
/* The requester is gone: so is its snapshot. */
void snapshotting_abandon(struct snapshotting *snapshotting, const struct requester *requester);
