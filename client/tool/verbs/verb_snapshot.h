/* The verb snapshot of ioasidctl: the host as a file. */
#pragma once

#include "../core/verb.h"

extern const struct verb verb_snapshot;
