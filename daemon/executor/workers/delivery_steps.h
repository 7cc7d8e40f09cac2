/*
 * The steps of a claim that hand its devices out: the context, and each device by its cdev, by its group, or by its
 * nodes. As claim_step has them: each does or fails, and its undo may be called when it did nothing. What closes by
 * itself has no undo.
 */
#pragma once

#include "plan_context.h"

int deliver_context(struct run *run, const struct step *step);
int deliver_container(struct run *run, const struct step *step);
int undo_context(struct run *run, const struct step *step);
int deliver_group(struct run *run, const struct step *step);
int undo_group(struct run *run, const struct step *step);
int deliver_group_device(struct run *run, const struct step *step);
int deliver_open(struct run *run, const struct step *step);
int undo_open(struct run *run, const struct step *step);
int deliver_bind(struct run *run, const struct step *step);
int deliver_ioas(struct run *run, const struct step *step);
int deliver_attach(struct run *run, const struct step *step);
int deliver_grant(struct run *run, const struct step *step);
int undo_grant(struct run *run, const struct step *step);
