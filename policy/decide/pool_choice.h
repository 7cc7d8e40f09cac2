/*
 * "Any one of" a pool: which device it comes to. The same request on the same host always comes to the same device.
 *
 * Each pool that a request names, in its order, becomes the best device of the pool that is not asked for already:
 *  1. nothing stands against it when it is asked for beside the devices that the request names (this kernel,
 *     and that a claim has one rule, aside);
 *  2. it falls under the rule of the claim that grows, or of the first device before it that an allow rule stands for:
 *     those that the request names first, then those that were chosen; of no matter where there is none;
 *  3. the fewest blockers, where something stands against all;
 *  4. the fewest lockouts: members of its group, bridges aside, that are neither asked for nor chosen nor the claim's;
 *  5. it is on the client's NUMA node;
 *  6. the first by address.
 * So a request that can't be had is refused for what stands against the best of the pool.
 */
#pragma once

#include "judgement.h"

/* Fills in the devices of the pools that are asked for, and what was chosen and why. */
void pool_choose(struct judgement *judgement);
