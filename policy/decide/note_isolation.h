/*
 * What keeps a claim's devices apart from each other, from the host and from other claims, and what does not.
 */
#pragma once

#include "judgement.h"

/* Members of one group: hardware does not keep them apart. */
void note_peers(struct judgement *judgement);
/* What the kernel was told to do without. */
void note_kernel(struct judgement *judgement);
/* A virtual function depends on its physical function, and takes its own end with it. */
void note_functions(struct judgement *judgement, const struct asked *asked);
/* Functions of the same slot in other groups. */
void note_slot(struct judgement *judgement, const struct asked *asked);
