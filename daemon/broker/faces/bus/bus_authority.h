/*
 * Whether a call may do what it is about: by the table of rights, and, where that takes an operator, by asking polkit.
 * Nothing is decided for longer than the one call, and nothing is kept of what it was decided for: the call starts anew
 * with the verdict.
 */
#pragma once

#include "bus_call.h"

/*
 * True if the call may do this now. False: it was answered, or polkit is asked; then go_on is called when it has said
 * yes, and is to find out all anew, and to ask here again. claim: NULL for acts about none. question: of acts about
 * none, devices and for whom; may be NULL.
 */
bool bus_authority_allow(struct bus_call *call, enum act act, const struct claim *claim,
			 const struct question *question, void (*go_on)(struct bus_call *call));
