/*
 * The client's limit of locked memory, which is what the kernel counts its mappings against: raised with the claim, put
 * back if the claim fails. Only of the process that the pidfd is of, and only if it is the client's user's.
 */
#pragma once

#include "plan_context.h"

/* 0, or -errno with the run's why. A limit that is higher already stays. */
int memlock_limit_raise(struct plan_context *context, uint64_t bytes);
/* The same; nothing to do where nothing was raised, or the client has ended. */
int memlock_limit_put_back(struct plan_context *context);
