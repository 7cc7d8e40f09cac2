/*
 * Policy files that somebody names, read and parsed by the core as the daemon does it: *.json of folders, sorted by
 * name, those of an earlier folder masking those of the same name in a later one; and files, which nothing masks. Of a
 * policy for another machine who can write it is not looked at: it decides over nothing here. Puts no policy in force.
 */
#pragma once

#include "named_ids.h"

#include "../../../policy/rules/policy.h"

/* Where the daemon has its policy unless it was told otherwise. */
#define POLICY_SOURCES_ETC "/etc/ioasidd/policy.d"
#define POLICY_SOURCES_USR "/usr/lib/ioasidd/policy.d"

/*
 * Users and groups that this machine does not know are warnings, and get their numbers from ids. ids NULL: the policy
 * is this machine's, and read by the daemon's own code, policy_files_check(). 0 with *out, which the caller frees, and
 * warnings in diagnostics; -EINVAL: errors in diagnostics; -ENOMEM.
 */
int policy_sources_load(const char *const *path, size_t count, struct named_ids *ids, struct diagnostics *diagnostics,
			struct policy **out);
