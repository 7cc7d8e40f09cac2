/*
 * What happens before the broker reads anything from a client: its runtime folder, its executor, and the loss of its
 * privileges. After start_drop_privileges() nothing here can be done again.
 */
#pragma once

#include "options.h"

#include <sys/types.h>

struct start_user {
	uid_t uid;
	gid_t gid;
};

/* Looks the user up. 0, or -ENOENT after a message that says how to make it. */
int start_find_user(const char *name, struct start_user *user);
/* Makes the runtime folder if it is missing; as root it is given to the user. 0 or -errno after a message. */
int start_runtime_folder(const char *folder, const struct start_user *user);
/* Starts or finds the executor. Returns its socket, owned by the caller, or -errno after a message. */
int start_executor(const struct options *options);
/* Becomes the user, without groups, capabilities, or a way back. 0 or -errno after a message. */
int start_drop_privileges(const struct start_user *user);
