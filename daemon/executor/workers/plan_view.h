/*
 * The devices that a plan names and all members of their groups, as sysfs has them now: what a plan is held against
 * before anything is done. Changes nothing.
 */
#pragma once

#include "../../../policy/plan/plan.h"
#include "../../../policy/model/topology.h"
#include "../os/sysfs.h"

struct plan_view {
	const struct host *host;
	bool waits; /* driver_override is read, too, which waits for whoever has the device's lock; else it shows as ""
		     */
	struct topology *topology;
	struct device *device;
	size_t count;
	size_t allocated;
	char *why; /* of TEXT_MAX bytes: one sentence where something can't be seen */
};

/* Begins an empty view that writes into why. waits: as above; the main process must not. False: out of memory. */
bool plan_view_begin(struct plan_view *view, const struct host *host, bool waits, char why[static TEXT_MAX]);
/* Adds the devices of all steps with the members of their groups. False: one is missing or can't be read; why says it.
 */
bool plan_view_look(struct plan_view *view, const struct plan *plan);
/* Adds the devices of all steps, as far as they are there, without their groups. False: one can't be read. */
bool plan_view_look_at_devices(struct plan_view *view, const struct plan *plan);
/* Adds the bridges above all devices, without their groups: for policies that speak of them. */
bool plan_view_add_bridges(struct plan_view *view);
void plan_view_done(struct plan_view *view);
