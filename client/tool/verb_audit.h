/* The verb audit of ioasidctl. */
#pragma once

#include "verb.h"

extern const struct verb verb_audit;
