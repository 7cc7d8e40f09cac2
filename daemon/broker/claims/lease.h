/*
 * What keeps a claim alive: a descriptor that its client has, a process, a unit, or nothing but an operator's word. Its
 * end begins the claim's release.
 */
#pragma once

#include "claim_runtime.h"

/*
 * Begins the lease of the claim's kind, and has the service manager keep it. process: the asker's pidfd, which stays
 * his; only LEASE_PROCESS needs it. *client is the FD to be handed to the client, who owns it then; -1: this kind has
 * none. 0, or -errno with nothing begun.
 */
int lease_begin(struct claim_runtime *runtime, int process, int *client);
/* Takes up the lease of a claim that an earlier run made. 0; -ENOENT: it was lost; other -errno. */
int lease_take_up(struct claim_runtime *runtime);
/* Writes a line to the holder of the lease descriptor; it is lost if nobody reads it. */
void lease_tell(const struct claim_runtime *runtime, const char *line);
