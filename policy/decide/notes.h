/*
 * What a decision tells besides its verdict: what the host loses, what does not come back, what a reset is worth and
 * what keeps devices apart. Notes forbid nothing: what forbids is a blocker.
 */
#pragma once

#include "judgement.h"

/* Adds all notes: the losses first, the worst of them first. */
void notes_add(struct judgement *judgement);
