#include "pci_driver.h"

#include "../../../policy/util/text.h"
#include "device_kind.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* The error, and the sentence "NAME: what: reason"; for a device that is gone, that it is. */
static int fail(const struct pci_driver_subject *subject, int error, const char *what, char why[static TEXT_MAX])
{
	if (device_is_gone(subject->name, subject->folder)) {
		text_format(why, TEXT_MAX, "%s was removed meanwhile", subject->name);
		return -ENODEV;
	}
	text_format(why, TEXT_MAX, "%s: %s: %s", subject->name, what, strerror(-error));
	return error;
}

int pci_driver_read(const struct pci_driver_subject *subject, char out[static DRIVER_NAME_MAX],
		    char why[static TEXT_MAX])
{
	int error = sysfs_read_link_name(subject->folder, "driver", out, DRIVER_NAME_MAX);

	if (error == -ENOENT && !device_is_gone(subject->name, subject->folder)) {
		out[0] = '\0';
		return 0;
	}
	if (error == 0 && !driver_name_is_valid(out, false))
		error = -EBADMSG;
	return error < 0 ? fail(subject, error, "cannot read its driver", why) : 0;
}

int pci_driver_read_override(const struct pci_driver_subject *subject, char out[static DRIVER_NAME_MAX],
			     char why[static TEXT_MAX])
{
	char text[DRIVER_NAME_MAX];
	int error = sysfs_read(subject->folder, "driver_override", text, sizeof(text));

	if (error == 0 && strcmp(text, "(null)") == 0)
		text[0] = '\0';
	if (error == 0 && !driver_name_is_valid(text, true))
		error = -EBADMSG;
	if (error < 0)
		return fail(subject, error, "cannot read its driver_override", why);
	memcpy(out, text, sizeof(text));
	return 0;
}

int pci_driver_write_override(const struct pci_driver_subject *subject, const char *value, char why[static TEXT_MAX])
{
	char text[DRIVER_NAME_MAX + 1], now[DRIVER_NAME_MAX];
	int error;

	/* A newline alone clears it. */
	snprintf(text, sizeof(text), "%s\n", value);
	error = sysfs_write(subject->folder, "driver_override", text);
	if (error < 0)
		return fail(subject, error, "cannot write its driver_override", why);
	error = pci_driver_read_override(subject, now, why);
	if (error == 0 && strcmp(now, value) != 0)
		error = fail(subject, -EIO, "its driver_override differs from what was written", why);
	return error;
}

/* Writes the device's name to an attribute of its bus or of a driver. */
static int write_name(const struct pci_driver_subject *subject, const char *driver, const char *attribute)
{
	const char *bus = device_bus_of(subject->name);
	char path[64 + DRIVER_NAME_MAX];

	if (driver)
		snprintf(path, sizeof(path), "bus/%s/drivers/%s/%s", bus, driver, attribute);
	else
		snprintf(path, sizeof(path), "bus/%s/%s", bus, attribute);
	return sysfs_write(subject->host->sys, path, subject->name);
}

/*
 * That the name we write still means our device: the bus looks it up by name. Between this look and the write the
 * device could only be replaced by unplugging it, which takes longer than the write.
 */
static int check_place(const struct pci_driver_subject *subject, char why[static TEXT_MAX])
{
	return device_is_gone(subject->name, subject->folder) ? fail(subject, -ENODEV, "it is gone", why) : 0;
}

int pci_driver_unbind(const struct pci_driver_subject *subject, const char *driver, char why[static TEXT_MAX])
{
	char now[DRIVER_NAME_MAX], what[TEXT_MAX];
	int error = pci_driver_read(subject, now, why);

	if (error < 0)
		return error;
	if (!now[0])
		return 0;
	if (strcmp(now, driver) != 0) {
		text_format(why, TEXT_MAX, "%s is bound to %s, not to %s as planned", subject->name, now, driver);
		return -EBUSY;
	}
	error = check_place(subject, why);
	if (error < 0)
		return error;
	error = write_name(subject, driver, "unbind");
	if (error == 0) {
		error = pci_driver_read(subject, now, why);
		if (error < 0 || !now[0])
			return error;
		error = -EBUSY;
	}
	text_format(what, sizeof(what), "the driver %s cannot be unbound", driver);
	return fail(subject, error, what, why);
}

/* Why the kernel would not bind the driver: drivers_probe says the same for everything, bind a little more. */
static int explain_probe(const struct pci_driver_subject *subject, const char *driver, int error,
			 char why[static TEXT_MAX])
{
	char path[64 + DRIVER_NAME_MAX], now[DRIVER_NAME_MAX], what[TEXT_MAX];
	int reason;

	snprintf(path, sizeof(path), "bus/%s/drivers/%s", device_bus_of(subject->name), driver);
	if (!sysfs_has(subject->host->sys, path) && !device_is_gone(subject->name, subject->folder)) {
		text_format(why, TEXT_MAX, "%s: the kernel has no driver %s: load its module (modprobe %s)",
			    subject->name, driver, driver);
		return error;
	}
	reason = write_name(subject, driver, "bind");
	if (reason == 0 && pci_driver_read(subject, now, why) == 0 && strcmp(now, driver) == 0)
		return 0;
	text_format(what, sizeof(what), "the driver %s does not take it", driver);
	reason = fail(subject, reason < 0 ? reason : error, what, why);
	if (reason == -EBUSY)
		text_append(why, TEXT_MAX, " (somebody has its IOMMU group)");
	return device_is_gone(subject->name, subject->folder) ? reason : error;
}

int pci_driver_probe(const struct pci_driver_subject *subject, const char *driver, char why[static TEXT_MAX])
{
	char now[DRIVER_NAME_MAX];
	int error = pci_driver_read(subject, now, why);

	if (error < 0)
		return error;
	if (strcmp(now, driver) == 0)
		return 0;
	if (now[0]) {
		text_format(why, TEXT_MAX, "%s is bound to %s, not to %s", subject->name, now, driver);
		return -EBUSY;
	}
	error = check_place(subject, why);
	if (error < 0)
		return error;
	error = write_name(subject, NULL, "drivers_probe");
	if (error == 0) {
		error = pci_driver_read(subject, now, why);
		if (error < 0 || strcmp(now, driver) == 0)
			return error;
		/* That no driver was found is no error to the kernel. */
		error = -ENODEV;
	}
	return explain_probe(subject, driver, error, why);
}

bool pci_driver_is_vfio(const char *driver)
{
	return strstr(driver, "vfio") != NULL;
}
