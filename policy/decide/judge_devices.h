/*
 * Judging the devices that a request names: each by itself under its rule, then all of them together. Never looks at
 * the other members of their groups but for who has them.
 */
#pragma once

#include "judgement.h"

/* Finds the rule of an asked-for device and what stands against the device. */
void judge_device(struct judgement *judgement, struct asked *asked);
/* All devices of a claim fall under one rule: it has one lockout permission, one limit, one name. */
void judge_one_rule(struct judgement *judgement);
/* How many devices one user may have under a rule and at all, all users under a rule, and one claim at all. */
void judge_limits(struct judgement *judgement);
