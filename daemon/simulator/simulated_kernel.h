/*
 * What the kernel does when somebody writes to sysfs or calls an ioctl, on the simulated host: the same rules and the
 * same errors as Linux 6.12 has. Every function acts at once or not at all; what would block says so instead.
 */
#pragma once

#include "machine.h"

/* The caller would sleep in the kernel now. A waiter on the device is woken when it is worth to call again. */
#define KERNEL_BLOCKED 1

/* Writes driver_override ("" clears it). 0, KERNEL_BLOCKED. */
int kernel_override(struct simulated_device *device, const char *driver);
/*
 * Writes to the unbind attribute of the bound driver. who: any pointer that stands for the task that writes: it calls
 * again after KERNEL_BLOCKED, and has the device's lock until it is through. -ENODEV: no driver is bound.
 */
int kernel_unbind(struct simulated_device *device, const void *who);
/*
 * Writes to drivers_probe. 0 does not mean that a driver is bound now: the kernel finds none for the device without
 * calling that an error. -EINVAL: one was found, and could not be bound (the group belongs to a context).
 */
int kernel_probe(struct simulated_device *device);
/* Writes to a driver's bind attribute. -EBUSY: a driver is bound, or the group belongs to a context; -ENODEV: none of
 * the device's drivers. */
int kernel_bind_driver(struct simulated_device *device, const char *driver);
/*
 * Writes to reset. -ENOENT: the device can't be reset, so that there is no such file; -ENOTTY: no method of it works
 * (the secondary bus can be reset for a single device only).
 */
int kernel_reset(struct simulated_device *device);
/* Unplugs the device: KERNEL_BLOCKED: it is gone once nobody has it open. -ENOTEMPTY: there are devices behind it. */
int kernel_unplug(struct simulated_device *device);

/* Opens /dev/iommu. The context goes with its last FD and the last file bound to it. -ENOENT, -ENOMEM, -EMFILE. */
int kernel_open_iommu(struct machine *machine, struct context **out);
/* Opens /dev/vfio/vfio; the container goes with its last FD and the last group in it. Errors as above. */
int kernel_open_container(struct machine *machine, struct context **out);
/* The context that an FD from outside is one of, or NULL. */
struct context *kernel_context_of(const struct machine *machine, int fd);
/* Closes the context's FD: its stand-in's ends. */
void kernel_close_context(struct context *context);
/* IOMMU_IOAS_ALLOC. 0, -ENOMEM. */
int kernel_alloc_ioas(struct context *context, uint32_t *ioas);
/* IOMMU_IOAS_UNMAP or VFIO_IOMMU_UNMAP_DMA of all that is mapped. There is no memory here: it is counted. */
void kernel_unmap(struct context *context);

/* Opens the device's cdev. -ENOENT: it has none. -ENOMEM, -EMFILE. */
int kernel_open_device(struct simulated_device *device, struct device_file **out);
/* VFIO_DEVICE_BIND_IOMMUFD. Errors: as kernel_can_bind(). */
int kernel_bind(struct device_file *file, struct context *context);
/*
 * What VFIO_DEVICE_BIND_IOMMUFD of a file that was opened just now would say. context: NULL stands for a new one.
 * -EINVAL: another file of the device is bound; -EPERM: the group has another owner, or a member on a host driver;
 * -EBUSY: somebody has the group open; -ENODEV: no group.
 */
int kernel_can_bind(const struct simulated_device *device, const struct context *context);
/* VFIO_DEVICE_ATTACH_IOMMUFD_PT. -EINVAL: not bound; -ENOENT: no such object in the context. */
int kernel_attach(struct device_file *file, uint32_t ioas);

/*
 * Opens the node of the device's group. -EBUSY: somebody has it open, or a device that was opened by it, or has bound a
 * device of it to an iommufd; -ENOENT: no device of it is on VFIO; -ENOMEM, -EMFILE.
 */
int kernel_open_group(struct simulated_device *device, struct group_file **out);
/* The same without opening it: 0, or its error. */
int kernel_can_open_group(struct simulated_device *device);
/* VFIO_GROUP_SET_CONTAINER and VFIO_SET_IOMMU. -EPERM: a member is on a host driver; -EINVAL: it is in one already. */
int kernel_set_container(struct group_file *file, struct context *container);
/* VFIO_GROUP_GET_DEVICE_FD. -EINVAL: the group is in no container; -ENODEV: no device of it; -ENOMEM, -EMFILE. */
int kernel_open_by_group(struct group_file *group, struct simulated_device *device, struct device_file **out);
/* Closes the group's FD: its stand-in's ends. Devices that were opened by it keep it open. */
void kernel_close_group(struct group_file *file);

/* The last close of a device's file: frees it. Wakes who waits for it. */
void kernel_close_device(struct device_file *file);
/* True if anybody has the device open at this very moment. */
bool kernel_is_open(struct simulated_device *device);
/* The same, or the device is on VFIO and anybody has its group open, by which it can be opened. */
bool kernel_is_within_reach(struct simulated_device *device);
/* Hears of everything that was closed up to this moment. */
void kernel_hear_of_closes(struct machine *machine);
/* Closes all files and contexts, whoever has them: the end of the machine. */
void kernel_close_all(struct machine *machine);
