/*
 * What a client gets of a claim: sorts the FDs of an executor's result into what they are. Decides nothing.
 */
#pragma once

#include "claim_runtime.h"

/*
 * Fills in an offer, which owns its FDs; lease is consumed. grows: only the device that was added, and no copy of the
 * context. FDs that no device stands for stay in fds. offer->context is -1, too, if it could not be copied.
 */
void offer_make(struct claim_runtime *runtime, const struct wire_result *result, struct descriptors *fds, int lease,
		bool grows, struct offer *offer);
/* Closes what was not taken out. */
void offer_close(struct offer *offer);
