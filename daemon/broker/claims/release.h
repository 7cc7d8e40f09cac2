/*
 * Ending claims: runs the plan that proves their devices free and puts them back, and waits, where somebody still holds an FD,
 * for that to end. Never reports more than was proven.
 */
#pragma once

#include "claim_runtime.h"

/*
 * Begins to release a claim, or notes that it is to be released once the plan that runs now has ended. A claim that
 * lingers is tried again.
 */
void releasing_start(struct holding *holding);
/*
 * An operator's word: where a release finds that the kernel refuses a device though nobody is found who holds it, the next
 * try goes on to the unbind, which ends once no FD is left, whoever has it. Begins nothing.
 */
void releasing_waive_proof(struct holding *holding);
/*
 * The plan that runs passed its deadline, whichever it is. A claim that is to be released is stuck then, and everybody
 * who waits for that is told.
 */
void releasing_note_overdue(struct holding *holding);
/* True if a release can only be told how things stand: something is overdue, and nobody knows when it ends. */
bool releasing_is_overdue(const struct holding *holding);
/*
 * The claim whose release is just closing the container to this user, or NULL. Opened to him meanwhile, it could be
 * closed again. waiting_stir() tells the end of that.
 */
const struct claim *releasing_container_of(const struct registry *registry, uid_t uid);
