/*
 * Which driver a device has, of PCI or of another bus that moves its devices in the same way: the writes to sysfs that
 * change it, each verified by reading. Knows no plan.
 */
#pragma once

#include "../../../include/words.h"
#include "../os/sysfs.h"

/* The device that is meant: its folder stays that of this device, even when another takes its place. */
struct pci_driver_subject {
	const struct host *host;
	const char *name; /* on its bus */
	int folder;
};

/*
 * All return 0 or -errno, with one sentence in why on failure. A device that is gone gives -ENODEV everywhere.
 */

/* The driver that is bound, or "". */
int pci_driver_read(const struct pci_driver_subject *subject, char out[static DRIVER_NAME_MAX],
		    char why[static TEXT_MAX]);
/* Its driver_override, or "". */
int pci_driver_read_override(const struct pci_driver_subject *subject, char out[static DRIVER_NAME_MAX],
			     char why[static TEXT_MAX]);
/* driver_override := value, "" to clear it. */
int pci_driver_write_override(const struct pci_driver_subject *subject, const char *value, char why[static TEXT_MAX]);
/*
 * Unbinds the driver of that name. May wait for ever: a VFIO driver waits for the last close. -EBUSY: another driver is
 * bound.
 */
int pci_driver_unbind(const struct pci_driver_subject *subject, const char *driver, char why[static TEXT_MAX]);
/*
 * Has the kernel look for a driver, which driver_override names. -ENODEV: no such driver, or it does not accept
 * the device; else what the kernel said (-EINVAL for every failure of drivers_probe).
 */
int pci_driver_probe(const struct pci_driver_subject *subject, const char *driver, char why[static TEXT_MAX]);
/* True for a driver of VFIO's, by its name: vfio-pci and its variants, which have it in their names. */
bool pci_driver_is_vfio(const char *driver);
