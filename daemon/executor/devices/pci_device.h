/*
 * Reads one PCI device from sysfs into a struct device, as it is now. Hostile or unreadable content makes the device be
 * left out, or look as if its driver could not be put back; never is it guessed. Changes nothing, and wakes no device
 * up: it reads no config space.
 */
#pragma once

#include "../../../policy/model/device.h"
#include "../os/timed_call.h"
#include "../os/sysfs.h"

#include <stddef.h>

/* The device was read, but for driver_override: somebody keeps the device's lock. It shows as driver_fixed. */
#define PCI_DEVICE_LOCKED 1

/*
 * Reads the device. patience limits the waiting for a device whose lock is taken; NULL: waits for ever. 0 or
 * PCI_DEVICE_LOCKED, with *out filled; -ENOENT: no such device; -EBADMSG: its attributes are invalid
 * (logged, once); other -errno of reading. *out is untouched on failure.
 */
int pci_device_device(const struct host *host, const char *name, struct timed_call *timed_call, struct device *out);
/*
 * The same without driver_override, which shows as "": so it waits for nobody. Errors as pci_device_device().
 */
int pci_device_summary(const struct host *host, const char *name, struct device *out);
/* Opens a device's folder in sysfs. It stays that device's, even when another takes its place: an FD or -errno. */
int pci_device_open(const struct host *host, const char *name);
/* True if the device that this folder belongs to has gone. */
bool pci_device_is_gone(int folder);
/* The identity of the device that this folder belongs to. 0, -ENOENT, -EBADMSG, or other -errno. */
int pci_device_identity(int folder, uint64_t *identity);
/* The number of its IOMMU group, or -1. 0, or -errno: then -1, too. */
int pci_device_group(int folder, int32_t *group);

/*
 * The names of a group's members, sorted, at most max of them. Returns how many there are, or -errno. -E2BIG: more than
 * max; -EBADMSG: a member that is not a PCI device.
 */
int pci_device_members(const struct host *host, int32_t group, char (*name)[DEVICE_NAME_MAX], size_t max);
