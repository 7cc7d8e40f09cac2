/* The verb revoke of ioasidctl. */
#pragma once

#include "../core/verb.h"

extern const struct verb verb_revoke;
