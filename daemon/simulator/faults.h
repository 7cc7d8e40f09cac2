/*
 * Faults that tests have asked for: at which steps of which devices a plan fails, hangs until it is told to go on, or
 * loses the worker that runs it.
 * Only says what strikes; what that means for a plan is run.c's matter.
 */
#pragma once

#include "../../policy/plan/plan.h"
#include "loop.h"

/* Stands beside enum step_kind for the moment before a plan's result is sent. */
#define FAULT_AT_RESULT ((int)STEP_KIND_COUNT)

struct fault {
	TAILQ_ENTRY(fault) link;      // faults
	int step;                     /* enum step_kind, FAULT_AT_RESULT, or -1: any step, and the result */
	char device[DEVICE_NAME_MAX]; /* "": any */
	bool undo;                    /* strikes when the step is undone, not when it is done */
	bool both;                    /* strikes at either */
	bool kill;                    /* the worker ends there, and undoes nothing */
	int error;                    /* positive errno to fail with; 0: hang, or be killed */
	uint64_t after;               /* so many that match are let through first */
	uint64_t times;               /* so many are struck; 0: all */
};
TAILQ_HEAD(faults, fault);

enum fault_effect { FAULT_NONE, FAULT_FAIL, FAULT_HANG, FAULT_KILL };

/* Adds a copy. 0, -ENOMEM. */
int faults_add(struct faults *faults, const struct fault *fault);
/* What happens at this step, now; *error is the positive errno of FAULT_FAIL. Counts. */
enum fault_effect faults_strike(struct faults *faults, int step, const char *device, bool undo, int *error);
/* Removes all that hang, or all. */
void faults_clear(struct faults *faults, bool only_hangs);

/*
 * Reads STEP[:DEVICE][=ERRNO] as it stands on a command line: a step's name, perhaps with "undo-" before it, "result"
 * or "any"; ERRNO as a number or a name (EPERM), EIO if it is left out. hang: without ERRNO. 0 or -EINVAL.
 */
int fault_parse(const char *text, bool hang, struct fault *out);
/* The errno of that number or name (EPERM), or -EINVAL. */
int fault_errno_from_string(const char *text);
/* The step of that name, FAULT_AT_RESULT for "result", or -EINVAL. */
int fault_step_from_string(const char *text);
