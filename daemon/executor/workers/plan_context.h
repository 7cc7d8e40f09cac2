/*
 * One plan while a binder runs it: its devices, FDs, and what there is to say of it. Carries the state of the steps,
 * and decides nothing.
 */
#pragma once

#include "../../base/wire.h"
#include "../devices/pci_driver.h"

#include <sys/resource.h>

struct run_device {
	char name[DEVICE_NAME_MAX];
	uint64_t identity;
	int32_t group; /* its IOMMU group; -1: none, or the device is gone */
	int folder;    /* in sysfs; -1: the device is gone */
	int fd;        /* opened for the client, by its cdev or its group, or -1 */
	int group_fd;  /* its group, opened for the client, if it is the first of the plan's devices in it; else -1 */
	bool unbound;  /* a release: it was proven that nobody is bound */
	bool doubted;  /* a release: the kernel refused the proof, and an operator has waived it */
	bool unbound_from_vfio; /* a release: the plan did that, which has proven it free */
	bool closed;            /* a release: it, or one of its group, is not free: what is left of it is left alone */
	bool marked;            /* a release: it bore ioasidd's mark when the plan touched it */
};

struct run {
	const struct host *host;
	const struct plan *plan;
	struct run_device *device; /* sorted by name */
	size_t device_count;
	int lock;    /* keeps other plans off these devices */
	int context; /* iommufd or container, passed in or opened; -1: none yet */
	bool context_passed;
	int proof_context; /* iommufd of our own, for proofs; -1: none yet */
	uint32_t ioas_id;
	pid_t peer; /* whose memlock limit is set; 0: none */
	uid_t peer_uid;
	int peer_fd; /* its pidfd */
	bool limit_set;
	struct rlimit limit_before;
	char why[TEXT_MAX]; /* what the last step that failed has to say */
};

/*
 * Begins: opens the devices' folders and waits until no other plan, of this executor or another, runs on any of them.
 * The run takes over the inbox's FDs; the inbox's plan has to outlive it. 0, -ENOMEM, or other -errno.
 */
int run_begin(struct run *run, const struct host *host, struct wire_plan_inbox *inbox);
/* Closes everything that was not taken out. */
void run_end(struct run *run);

/* The device of a step, or NULL for a step without one. */
struct run_device *run_device_of(const struct run *run, const struct step *step);
/* The same, if the device is still there; else NULL, with run->why. */
struct run_device *run_present(struct run *run, const struct step *step);
struct pci_driver_subject run_subject(const struct run *run, const struct run_device *device);
/* Writes run->why. Returns error. */
int run_fail(struct run *run, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));
