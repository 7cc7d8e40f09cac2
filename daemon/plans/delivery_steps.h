/*
 * The steps of a claim that hand its devices out: the context, and each device by its cdev, by its group, or by its
 * nodes; and the client's memlock limit. As claim_step has them: each does or fails, and its undo may be called when it
 * did nothing. What closes by itself has no undo.
 */
#pragma once

#include "plan_state.h"

int deliver_context(struct plan_run *run, const struct step *step);
int deliver_container(struct plan_run *run, const struct step *step);
int undo_context(struct plan_run *run, const struct step *step);
int deliver_group(struct plan_run *run, const struct step *step);
int undo_group(struct plan_run *run, const struct step *step);
int deliver_group_device(struct plan_run *run, const struct step *step);
int deliver_open(struct plan_run *run, const struct step *step);
int undo_open(struct plan_run *run, const struct step *step);
int deliver_bind(struct plan_run *run, const struct step *step);
int deliver_ioas(struct plan_run *run, const struct step *step);
int deliver_attach(struct plan_run *run, const struct step *step);
int deliver_grant(struct plan_run *run, const struct step *step);
int undo_grant(struct plan_run *run, const struct step *step);
int deliver_memlock(struct plan_run *run, const struct step *step);
int undo_memlock(struct plan_run *run, const struct step *step);
