/*
 * A plan under way: its devices, where it stands, and what there is to say of it. Carries the state of the steps, and
 * decides nothing. Holds no FDs: those are the table's of host calls.
 */
#pragma once

#include "host_calls.h"

struct plan_device {
	char name[DEVICE_NAME_MAX];
	uint64_t identity;
	int32_t group;          /* its IOMMU group, which the table's owner fills in; -1: none, or the device is gone */
	bool opened;            /* a claim: opened for the client */
	bool group_opened;      /* a claim: its group is, by the first of the plan's devices in it */
	bool doubted;           /* a release: the kernel refused the proof, and an operator has waived it */
	bool unbound_from_vfio; /* a release: the plan did that, which has proven it free */
	bool closed;            /* a release: it, or one of its group, is not free: what is left of it is left alone */
	bool marked;            /* a release: it bore ioasidd's mark when the plan touched it */
};

struct plan_run {
	const struct host_calls *calls;
	const struct plan *plan; /* has to outlive the run */
	bool release;
	struct plan_device *device; /* sorted by name */
	size_t device_count;
	bool context_passed; /* one came with the plan */
	uint32_t ioas_id;
	uint64_t memlock_before;

	size_t next; /* the step that is made next; while it is undone: how many are not undone yet */
	bool undoing;
	bool begun;         /* the step was let through by step_begins() */
	unsigned stage;     /* how far the step came before a call said "not yet"; 0: not begun */
	char why[TEXT_MAX]; /* what the last step has to say */
};

/* Begins a run with all devices of the plan, once each. 0, -ENOMEM; -EBADMSG: one device with two identities. */
int plan_run_begin(struct plan_run *run, const struct host_calls *calls, const struct plan *plan, bool release);
/* Frees what the run has itself. */
void plan_run_end(struct plan_run *run);

/* The device of a step, or NULL for a step without one. */
struct plan_device *plan_device_of(const struct plan_run *run, const struct step *step);
/* The same, if the device is still there; else NULL, with run->why. */
struct plan_device *plan_device_present(struct plan_run *run, const struct step *step);
/* Writes run->why. Returns error. */
int plan_fail(struct plan_run *run, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));
