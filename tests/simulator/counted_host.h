/*
 * A host of two devices that a plan engine's calls act on: it keeps what they have changed, counts them, and lets one
 * of them fail or wait.
 */
#pragma once

#include "../../daemon/plans/plan_state.h"

#define CARD "0000:01:00.0"
#define SIBLING "0000:01:01.0"

struct host_device {
	char driver[DRIVER_NAME_MAX];
	char override[DRIVER_NAME_MAX];
	bool gone, opened, group_opened, bound, attached, granted;
};

/* What a claim changes, and has to put back. Compared as bytes. */
struct host_state {
	struct host_device device[2];
	bool context, limit_raised;
};

struct counted_host {
	struct host_state now;
	bool vfio_without_node, is_held, host_driver, bus_master, has_holder, held_by_group;
	bool passed_is_container;
	int reset_error, patience, emptied;
	size_t calls, fail_at, wait_at; /* numbers of calls from 1; 0: none */
	size_t gone_at;
};
extern struct counted_host host;

extern const struct host_calls counted_calls;

/* Puts a name into a field of a device. */
void host_set(char out[static DRIVER_NAME_MAX], const char *value);
