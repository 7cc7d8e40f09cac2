/*
 * What the executor's main process does with a plan before a worker gets it, and with its result: holds it against the
 * ledger of what was given (policy/check/given.h), which lives in the machine and so outlives each broker.
 */
#pragma once

#include "plan_run.h"

/* Lets a plan through, with what is left of it to do; or not, with one sentence in why. */
bool admission_enter(struct run *run, char why[static TEXT_MAX]);
/* Settles what became of it, by the run's result. */
void admission_settle(struct run *run);
/* Forgets all that was given: the end of the machine. */
void admission_forget(struct machine *machine);
