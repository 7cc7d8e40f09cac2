/*
 * Stops real processes that hold what the simulated host has, as the executor's stopper does: after the same checks, by
 * SIGTERM and, where that does not help, SIGKILL. Never waits.
 */
#pragma once

#include "machine.h"

#include "../base/wire.h"
#include "../../policy/rules/policy.h"

struct stops;

/* The answer, stamped. May be called before stops_begin() returns. */
typedef void (*stop_done)(void *context, const union wire_message *answer);

int stops_new(struct machine *machine, struct stops **out); /* 0, -ENOMEM */
/* Those that are under way are dropped where they are. */
struct stops *stops_free(struct stops *stops);
/* Takes the FDs over; the list is empty then. broker: its pid, 0 unknown. */
void stops_begin(struct stops *stops, const struct wire_stop *question, const struct policy *policy, pid_t broker,
		 struct descriptors *fds, stop_done done, void *context);
