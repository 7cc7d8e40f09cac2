/*
 * Judging the kernel: whether it has the interface of VFIO that the mode needs, and what it was told to do without.
 */
#pragma once

#include "judgement.h"

/* What this kernel lacks for any claim; of no interest where no device is known. Sets the decision's interface. */
void judge_kernel(struct judgement *judgement);
