/*
 * The table of host calls on the simulated kernel. Each call is made on the struct run that the engine's run is the
 * first member of. Where Linux would sleep a call answers "not yet", and the run is woken when it is worth to try
 * again. Faults are not its matter: run.c adds them.
 */
#pragma once

#include "../plans/host_calls.h"

extern const struct host_calls simulated_calls;
