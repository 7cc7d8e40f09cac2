/*
 * The steps that move devices off the host, and their undos: what a binder does for each, on the simulated host. They
 * answer 0, STEP_WAITS, or -errno: what the kernel says where it was asked. Taking a device that is gone is -ENODEV; an
 * undo on it is vacuous.
 */
#pragma once

#include "plan_run.h"

int do_override(struct run *run, const struct step *step);
int undo_override(struct run *run, const struct step *step);
int do_unbind(struct run *run, const struct step *step);
int undo_unbind(struct run *run, const struct step *step);
int do_probe(struct run *run, const struct step *step);
int undo_probe(struct run *run, const struct step *step);
