/*
 * Policy files named by the user, for this machine or another one, read by the daemon's own code: folders and files.
 * Knows users and groups that only another machine has. Puts no policy in force.
 */
#pragma once

#include "named_ids.h"

#include "../../../daemon/base/policy_files.h"
#include "../../../policy/rules/policy.h"

/* Where the daemon has its policy unless it was told otherwise. */
#define POLICY_SOURCES_ETC POLICY_FOLDER_ETC
#define POLICY_SOURCES_USR POLICY_FOLDER_USR

/*
 * Users and groups that this machine does not know are warnings, and get their numbers from ids. ids NULL: the policy
 * is this machine's, and checked as policy_files_check() does it; else it is policy_files_read_foreign(). 0 with *out,
 * which the caller frees, and warnings in diagnostics; -EINVAL: errors in diagnostics; -ENOMEM.
 */
int policy_sources_load(const char *const *path, size_t count, struct named_ids *ids, struct diagnostics *diagnostics,
			struct policy **out);
