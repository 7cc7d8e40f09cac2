/*
 * The policy in force, in a form that can be handed to a worker: the files' texts and the numbers behind the names in
 * them, in a sealed memfd. So every binder decides by the same policy, whatever is edited on the disk before a reload,
 * and no worker asks a user database. It is made by reading the files that a policy was made of again, and holds only
 * if the same policy comes out.
 */
#pragma once

#include "../../../policy/rules/policy.h"

/*
 * Makes a snapshot; the caller owns *fd. 0; -EAGAIN: the files changed since the policy was read; -ENOMEM; or -errno of
 * reading.
 */
int policy_snapshot_make(const struct policy *policy, int *fd);
/* The policy of a snapshot, which the caller frees. 0, -EBADMSG: not a snapshot; -ENOMEM; or -errno of reading. */
int policy_snapshot_load(int fd, struct policy **out);
