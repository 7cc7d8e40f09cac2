/*
 * The steps that prove devices free and put them back, on the simulated host. They answer 0, STEP_WAITS, or -errno. All
 * of them hold on a device that is gone.
 */
#pragma once

#include "plan_run.h"

int do_revoke(struct run *run, const struct step *step);
int do_unmap(struct run *run, const struct step *step);
int do_prove_no_holder(struct run *run, const struct step *step);
int do_prove_unbound(struct run *run, const struct step *step);
int do_prove_group_free(struct run *run, const struct step *step);
int do_bus_master_off(struct run *run, const struct step *step);
int do_reset(struct run *run, const struct step *step);
int do_unbind_vfio(struct run *run, const struct step *step);
int do_restore(struct run *run, const struct step *step);
