/*
 * Judging the members that a claim would lock out though nobody asked for them: which they are, and what stands against
 * each under the rule of the device that it shares a group with.
 */
#pragma once

#include "judgement.h"

/* Finds the members: each group once, for the first of its asked-for devices that an allow rule stands for. */
void judge_find_lockouts(struct judgement *judgement);
/* Writes the lockouts that were found, and what stands against them. */
void judge_lockouts(struct judgement *judgement);
