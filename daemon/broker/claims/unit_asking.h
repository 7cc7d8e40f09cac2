/*
 * Before a claim that is to live by a unit: whether that unit runs. Nothing is asked of the host before.
 */
#pragma once

#include "operation.h"

/*
 * Asks systemd about operation->lease.unit. It goes on with go_on(operation) if the unit runs, its invocation filled
 * in; else the requester is answered and the operation freed. The requester's operation meanwhile.
 */
void unit_asking_start(struct operation *operation, void (*go_on)(void *operation));
