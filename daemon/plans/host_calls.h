/*
 * All that a plan asks of the host, as one table of calls: the executor's does it on Linux (workers/linux_calls.c), the
 * simulator's on its simulated kernel (simulated_calls.c). A call does one thing, and knows nothing of steps and undos.
 *
 * A call answers 0; -errno, with one sentence in run->why; or HOST_CALL_NOT_YET: it would have to wait. Then nothing of
 * it counts as done, and the step is made anew when whoever drives the plan comes back. A table that may sleep never
 * answers so.
 */
#pragma once

#include "../../policy/plan/plan.h"
#include "../../policy/util/text.h"

enum { HOST_CALL_NOT_YET = 1 };

struct plan_run;
struct plan_device;

struct host_calls {
	/*
	 * Before each try of a step or its undo, until it is through with 0 or -errno: faults of tests strike here.
	 * NULL: there are none.
	 */
	int (*step_begins)(struct plan_run *run, const struct step *step, bool undo);
	/* After the last try of it, whatever came of it. NULL: nothing to do. */
	void (*step_ended)(struct plan_run *run);

	/* True while the device that was planned for is there; another one in its place is not it. */
	bool (*is_there)(struct plan_run *run, const struct plan_device *device);
	/* True if the device is on VFIO now: only then is there something to prove, to reset or to unbind. */
	bool (*is_on_vfio)(struct plan_run *run, const struct plan_device *device);

	/* Which driver is bound, and driver_override: "" for none. */
	int (*read_driver)(struct plan_run *run, const struct plan_device *device, char out[static DRIVER_NAME_MAX]);
	int (*read_override)(struct plan_run *run, const struct plan_device *device, char out[static DRIVER_NAME_MAX]);
	int (*write_override)(struct plan_run *run, const struct plan_device *device, const char *value);
	/* Unbinds this driver. May wait for ever: a VFIO driver waits for the last close. */
	int (*unbind)(struct plan_run *run, const struct plan_device *device, const char *driver);
	/* The same of a host's driver, with the disks held meanwhile: nobody can begin to use them. -EBUSY: one is
	 * used. */
	int (*unbind_unused)(struct plan_run *run, const struct plan_device *device, const char *driver);
	/* Has the kernel bind the driver that driver_override names. 0: it is bound. */
	int (*probe)(struct plan_run *run, const struct plan_device *device, const char *driver);

	/* The context is an iommufd, or a container: one that came with the plan, or one that is opened here. */
	bool (*is_context)(struct plan_run *run, bool container);
	int (*open_context)(struct plan_run *run, bool container);
	void (*close_context)(struct plan_run *run);
	int (*allocate_ioas)(struct plan_run *run, uint32_t *ioas);
	/* Removes all mappings. ioas: the one that is known of an iommufd; 0: none. */
	int (*empty_context)(struct plan_run *run, bool container, uint32_t ioas);

	/* The files that the client gets. Closing what is not open does nothing. */
	int (*open_device)(struct plan_run *run, struct plan_device *device);
	int (*bind_device)(struct plan_run *run, struct plan_device *device);
	int (*attach_device)(struct plan_run *run, struct plan_device *device, uint32_t ioas);
	void (*close_device)(struct plan_run *run, struct plan_device *device);
	int (*open_group)(struct plan_run *run, struct plan_device *device);
	int (*join_container)(struct plan_run *run, struct plan_device *device);
	void (*close_group)(struct plan_run *run, struct plan_device *device);
	/* group: the device of the plan whose group is open, the same as this one's. */
	int (*open_by_group)(struct plan_run *run, struct plan_device *device, const struct plan_device *group);

	/*
	 * Who may open a device's nodes by their path; device NULL: the container's. Root may anyway: granting it
	 * anything only looks whether there are nodes.
	 */
	int (*grant)(struct plan_run *run, const struct plan_device *device, uid_t uid);
	int (*revoke)(struct plan_run *run, const struct plan_device *device, uid_t uid);

	/* The client's RLIMIT_MEMLOCK: at least so many bytes, and back to what it was (nothing if it was not raised).
	 */
	int (*raise_memlock)(struct plan_run *run, uint64_t bytes, uint64_t *before);
	int (*put_back_memlock)(struct plan_run *run);

	/* Proofs. -EBUSY: a process has the device open; the table tells which in the result. */
	int (*find_holder)(struct plan_run *run, const struct plan_device *device);
	/*
	 * Opens the device and binds it, and closes it at once. own: to the context that came with the plan, else to a
	 * fresh one. -EINVAL, -EPERM, -EBUSY: somebody has it.
	 */
	int (*try_bind)(struct plan_run *run, const struct plan_device *device, bool own);
	/* The same by its group; 0, too, where no device of the group is on VFIO. */
	int (*try_group)(struct plan_run *run, const struct plan_device *device);
	/* True if a member of its group is bound to a driver of the host's. */
	bool (*has_host_driver)(struct plan_run *run, const struct plan_device *device);
	/* A last close may be under way: waits a moment before the next try. -ETIMEDOUT: it was waited long enough. */
	int (*wait_for_close)(struct plan_run *run, const struct plan_device *device);
	int (*read_bus_master)(struct plan_run *run, const struct plan_device *device, bool *on);
	int (*reset)(struct plan_run *run, const struct plan_device *device);
};
