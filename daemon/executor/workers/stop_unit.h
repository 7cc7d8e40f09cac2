/*
 * Stopping a systemd unit, over the service manager's own socket: that needs no bus. Blocks until the unit's stop is
 * through, with a limit.
 */
#pragma once

#include "../../base/wire.h"

/* Loads what it takes: while this process may still load programs. */
void stop_unit_prepare(void);
/* Fills in the outcome of stopping this unit: a service or a scope. */
void stop_unit(const char *unit, struct wire_stopped *out);
