/*
 * The steps that make devices that were taken ready for their client, and their undos: contexts, open files, rights to
 * nodes, the memlock limit. They answer 0, or -errno: what the kernel says where it was asked. None of them ever waits.
 */
#pragma once

#include "plan_run.h"

int do_context(struct run *run, const struct step *step);
int do_container(struct run *run, const struct step *step);
/* Of both of these. */
int undo_context(struct run *run, const struct step *step);
int do_group(struct run *run, const struct step *step);
int undo_group(struct run *run, const struct step *step);
int do_group_device(struct run *run, const struct step *step);
int undo_group_device(struct run *run, const struct step *step);
int do_grant(struct run *run, const struct step *step);
int undo_grant(struct run *run, const struct step *step);
int do_open(struct run *run, const struct step *step);
int undo_open(struct run *run, const struct step *step);
int do_bind(struct run *run, const struct step *step);
int do_ioas(struct run *run, const struct step *step);
int do_attach(struct run *run, const struct step *step);
int do_memlock(struct run *run, const struct step *step);
