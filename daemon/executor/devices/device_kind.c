#include "device_kind.h"

#include "pci_command.h"
#include "pci_device.h"

#include <errno.h>

static const struct device_files {
	const char *bus;
	int (*read)(const struct host *host, const char *name, struct timed_call *timed_call, struct device *out);
	int (*summary)(const struct host *host, const char *name, struct device *out);
	int (*open)(const struct host *host, const char *name);
	bool (*is_gone)(int folder);
	int (*identity)(int folder, uint64_t *identity);
	/* NULL: a plan for such a device has no such step. */
	int (*read_bus_master)(const char *name, int folder, bool *on, char why[static TEXT_MAX]);
	int (*reset)(const char *name, int folder, char why[static TEXT_MAX]);
} kinds[] = {
	[DEVICE_PCI] = { .bus = "pci",
			 .read = pci_device_device,
			 .summary = pci_device_summary,
			 .open = pci_device_open,
			 .is_gone = pci_device_is_gone,
			 .identity = pci_device_identity,
			 .read_bus_master = pci_command_read_bus_master,
			 .reset = pci_command_reset },
};
enum { KIND_COUNT = sizeof(kinds) / sizeof(*kinds) };

/* The row for a name, or NULL: no device is called that. */
static const struct device_files *find(const char *name)
{
	for (uint32_t i = 0; device_name_is_valid(name) && i < KIND_COUNT; i++)
		if (device_kind_row(i)->name_is_valid(name))
			return &kinds[i];
	return NULL;
}

const char *device_bus(unsigned number)
{
	return number < KIND_COUNT ? kinds[number].bus : NULL;
}

const char *device_bus_of(const char *name)
{
	return find(name)->bus;
}

int device_read(const struct host *host, const char *name, struct timed_call *timed_call, struct device *out)
{
	const struct device_files *kind = find(name);

	return kind ? kind->read(host, name, timed_call, out) : -ENOENT;
}

int device_summary(const struct host *host, const char *name, struct device *out)
{
	const struct device_files *kind = find(name);

	return kind ? kind->summary(host, name, out) : -ENOENT;
}

int device_open(const struct host *host, const char *name)
{
	const struct device_files *kind = find(name);

	return kind ? kind->open(host, name) : -ENOENT;
}

bool device_is_gone(const char *name, int folder)
{
	return find(name)->is_gone(folder);
}

int device_identity(const char *name, int folder, uint64_t *identity)
{
	return find(name)->identity(folder, identity);
}

int device_read_bus_master(const char *name, int folder, bool *on, char why[static TEXT_MAX])
{
	const struct device_files *kind = find(name);

	return kind->read_bus_master ? kind->read_bus_master(name, folder, on, why) : -EOPNOTSUPP;
}

int device_reset(const char *name, int folder, char why[static TEXT_MAX])
{
	const struct device_files *kind = find(name);

	return kind->reset ? kind->reset(name, folder, why) : -EOPNOTSUPP;
}
