/* The verb claim of ioasidctl. */
#pragma once

#include "../core/verb.h"

extern const struct verb verb_claim;
