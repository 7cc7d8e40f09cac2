/*
 * Ending claims: runs the plan that proves their devices free and puts them back, and waits, where somebody still holds
 * an FD, for that to end. Never reports more than was proven.
 */
#pragma once

#include "claim_runtime.h"

/*
 * Begins to release a claim, or notes that it is to be released once the plan that runs now has ended. A claim that
 * lingers is tried again.
 */
void release_start(struct claim_runtime *runtime);
/*
 * An operator's word: where a release finds that the kernel refuses a device though nobody is found who holds it, the
 * next try goes on to the unbind, which ends once no FD is left, whoever has it. Begins nothing.
 */
void release_waive_proof(struct claim_runtime *runtime);
/*
 * The plan that runs passed its deadline, whichever it is. A claim that is to be released is stuck then, and everybody
 * who waits for that is told.
 */
void release_note_overdue(struct claim_runtime *runtime);
/* True if a release can only be told how things stand: something is overdue, and nobody knows when it ends. */
bool release_is_overdue(const struct claim_runtime *runtime);
/*
 * The claim whose release is just closing the container to this user, or NULL. Opened to him meanwhile, it could be
 * closed again. release_wait_stir() tells the end of that.
 */
const struct claim *release_container_of(const struct registry *registry, uid_t uid);
