/*
 * Reads the policy files: *.json of the given folders, the drop-ins of an earlier folder masking those of the same name
 * in a later one (an empty file or a link to /dev/null masks without replacing), sorted by file name over all folders.
 * Refuses what others than root (or, not being root, than the reader) can write, what is no regular file, a link that
 * leads out of these folders, and what is larger than POLICY_FILE_MAX: all of it, with the reason. Parses with the
 * policy core; resolves names through the system's user database.
 */
#pragma once

#include "../../policy/rules/policy.h"

/* Default folders, in the order in which they are looked at. */
#define POLICY_FOLDER_ETC "/etc/ioasidd/policy.d"
#define POLICY_FOLDER_USR "/usr/lib/ioasidd/policy.d"

/*
 * Reads and parses. folders that do not exist are empty. 0 with *out set (the caller frees it) and warnings in
 * diagnostics; -EINVAL: errors in diagnostics, *out untouched; -ENOMEM.
 */
int policy_files_load(const char *const *folder, size_t count, struct diagnostics *diagnostics, struct policy **out);
/*
 * The same without asking who users and groups are, which early at boot nobody may know: for what does not depend on
 * any subject. Each name stands for a number of its own, which means nothing.
 */
int policy_files_load_unnamed(const char *const *folder, size_t count, struct diagnostics *diagnostics,
			      struct policy **out);
/*
 * The same for whoever wants to know before what a reload would say, and as strictly: of folders everything that the
 * daemon refuses is an error. Those that the daemon has (POLICY_FOLDER_ETC and POLICY_FOLDER_USR) have to be root's,
 * and for root, who can read all, a file has to be readable for the user that the daemon runs as, too. A path may also
 * be a file, which nothing masks: it is a draft, and what matters only once it is in a folder is a warning. Here a path
 * that does not exist is an error.
 */
int policy_files_check(const char *const *path, size_t count, struct diagnostics *diagnostics, struct policy **out);
/*
 * The same of a policy for another machine: who can write it is not looked at, nor where a link leads, for it decides
 * over nothing here. The caller says who users and groups are.
 */
int policy_files_read_foreign(const char *const *path, size_t count, const struct name_resolver *names,
			      struct diagnostics *diagnostics, struct policy **out);
/* Logs every diagnostic as "file:line:column: message". */
void policy_files_log(const struct diagnostics *diagnostics);
