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

/* The device was read, but for driver_override: see DEVICE_LOCKED. */
#define PCI_DEVICE_LOCKED 1

/* As device_kind.h has these for devices of all kinds. */
int pci_device_device(const struct host *host, const char *name, struct timed_call *timed_call, struct device *out);
int pci_device_summary(const struct host *host, const char *name, struct device *out);
int pci_device_open(const struct host *host, const char *name);
bool pci_device_is_gone(int folder);
int pci_device_identity(int folder, uint64_t *identity);

/* The number of a device's IOMMU group, or -1. 0, or -errno: then -1, too. */
int pci_device_group(int folder, int32_t *group);

/*
 * The names of a group's members, sorted, at most max of them. Returns how many there are, or -errno. -E2BIG: more than
 * max; -EBADMSG: a member that is no device of ours.
 */
int pci_device_members(const struct host *host, int32_t group, char (*name)[DEVICE_NAME_MAX], size_t max);
