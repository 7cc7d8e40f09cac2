/*
 * One plan while a binder runs it: the folders of its devices in sysfs, and all FDs that are opened for it. What the
 * calls of linux_calls.c act on.
 */
#pragma once

#include "../../base/wire.h"
#include "../../plans/plan_state.h"
#include "../devices/pci_driver.h"

#include <sys/resource.h>

struct context_device {
	int folder;   /* in sysfs; -1: the device is gone */
	int fd;       /* opened for the client, by its cdev or its group, or -1 */
	int group_fd; /* its group, opened for the client, if it is the first of the plan's devices in it; else -1 */
};

struct plan_context {
	struct plan_run run; /* first: the engine's calls come with it */
	const struct host *host;
	struct context_device *device; /* beside the run's */
	int lock;                      /* keeps other plans off these devices */
	int context;                   /* iommufd or container, passed in or opened; -1: none yet */
	int proof_context;             /* iommufd of our own, for proofs; -1: none yet */
	enum wire_proof proof;         /* that no process was found to hold the devices of a release */
	unsigned waited;               /* milliseconds, for a last close in this step */
	unsigned pause;                /* the next one's length */
	pid_t peer;                    /* whose memlock limit is set; 0: none */
	uid_t peer_uid;
	int peer_fd; /* its pidfd */
	bool limit_set;
	struct rlimit limit_before;
};

/*
 * Begins: opens the devices' folders and waits until no other plan, of this executor or another, runs on any of them.
 * Takes over the inbox's FDs; the inbox's plan has to outlive it. 0, -ENOMEM, or other -errno.
 */
int plan_context_begin(struct plan_context *context, const struct host *host, const struct host_calls *calls,
		       struct wire_plan_inbox *inbox);
/* Closes everything that was not taken out. */
void plan_context_end(struct plan_context *context);

/* What stands beside a device of the run. */
struct context_device *plan_context_device(const struct plan_context *context, const struct plan_device *device);
