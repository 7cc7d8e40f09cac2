#include "pci_device.h"

#include "../../../policy/util/text.h"
#include "../../base/descriptors.h"
#include "../../base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A read of driver_override that takes longer waits for somebody who keeps the device's lock. */
enum { LOCK_PATIENCE_MSEC = 500 };

static uint64_t mix(uint64_t hash, uint64_t value)
{
	/* The finaliser of splitmix64. */
	hash += value + 0x9e3779b97f4a7c15ULL;
	hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ULL;
	hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebULL;
	return hash ^ (hash >> 31);
}

/* Says once what is wrong with a device; a device that keeps changing must not fill the journal. */
static void complain(const char *device, const char *what, const char *text)
{
	static uint64_t said[64];
	uint64_t hash = 0;

	for (const char *c = device; *c; c++)
		hash = mix(hash, (unsigned char)*c);
	for (const char *c = what; *c; c++)
		hash = mix(hash, (unsigned char)*c);
	if (said[hash % 64] == hash)
		return;
	said[hash % 64] = hash;
	log_warning("%s: its %s in sysfs %s", device, what, text);
}

int pci_device_open(const struct host *host, const char *name)
{
	char path[32 + DEVICE_NAME_MAX];

	if (!pci_address_is_valid(name))
		return -ENOENT;
	snprintf(path, sizeof(path), "bus/pci/devices/%s", name);
	return sysfs_open_folder(host->sys, path);
}

bool pci_device_is_gone(int folder)
{
	return !sysfs_has(folder, "vendor");
}

static int read_ids(int folder, struct device *device)
{
	uint64_t vendor, id, subsystem_vendor = 0, subsystem_id = 0, class_code;
	int error = sysfs_read_number(folder, "vendor", UINT16_MAX, &vendor);

	if (error == 0)
		error = sysfs_read_number(folder, "device", UINT16_MAX, &id);
	if (error == 0)
		error = sysfs_read_number(folder, "class", 0xffffff, &class_code);
	if (error < 0)
		return error;
	sysfs_read_number(folder, "subsystem_vendor", UINT16_MAX, &subsystem_vendor);
	sysfs_read_number(folder, "subsystem_device", UINT16_MAX, &subsystem_id);
	device->pci.vendor = (uint16_t)vendor;
	device->pci.device = (uint16_t)id;
	device->pci.class_code = (uint32_t)class_code;
	device->pci.subsystem_vendor = (uint16_t)subsystem_vendor;
	device->pci.subsystem_device = (uint16_t)subsystem_id;
	return 0;
}

/* The kernel numbers the folders of sysfs anew each time: a device that comes after another has another inode. */
static int read_identity(int folder, struct device *device)
{
	struct stat status;

	if (fstat(folder, &status) < 0)
		return -errno;
	device->identity = mix(mix(0, status.st_ino),
			       (uint64_t)device->pci.vendor << 48 | (uint64_t)device->pci.device << 32 |
				       (uint64_t)device->pci.subsystem_vendor << 16 | device->pci.subsystem_device);
	if (device->identity == 0)
		device->identity = 1;
	return 0;
}

int pci_device_identity(int folder, uint64_t *identity)
{
	struct device device;
	int error = read_ids(folder, &device);

	if (error == 0)
		error = read_identity(folder, &device);
	if (error == 0)
		*identity = device.identity;
	return error;
}

int pci_device_group(int folder, int32_t *group)
{
	char text[32];
	uint64_t number;
	int error = sysfs_read_link_name(folder, "iommu_group", text, sizeof(text));

	*group = -1;
	if (error == -ENOENT)
		return 0;
	if (error == 0)
		error = number_parse(text, INT32_MAX, &number);
	if (error == 0)
		*group = (int32_t)number;
	return error;
}

/*
 * A group that VFIO made for a device without an IOMMU has this name, and keeps it when the mode is switched off again.
 */
static int read_no_iommu(const struct host *host, struct device *device)
{
	char path[64], name[64];
	int error;

	if (device->group < 0)
		return 0;
	snprintf(path, sizeof(path), "kernel/iommu_groups/%d/name", device->group);
	error = sysfs_read(host->sys, path, name, sizeof(name));
	/* Most groups have no name at all, and then no such file. */
	device->no_iommu = error == 0 && strcmp(name, "vfio-noiommu") == 0;
	return error == -ENOENT || error == -EMSGSIZE ? 0 : error;
}

static void read_numa_node(int folder, struct device *device)
{
	uint64_t node;

	/* "-1" does not parse, and is what stands there for unknown. */
	device->numa_node = sysfs_read_number(folder, "numa_node", UINT16_MAX, &node) == 0 ? (int32_t)node : -1;
}

static void read_reset_methods(int folder, struct device *device)
{
	char text[256], *rest = text, *word;

	if (sysfs_read(folder, "reset_method", text, sizeof(text)) < 0)
		return;
	while ((word = strsep(&rest, " "))) {
		int method = reset_method_from_string(word);

		/* A method that a later kernel has is not known here, and not counted on. */
		if (method > 0)
			device->pci.reset_methods |= (uint32_t)method;
	}
}

/* The node's name in vfio-dev/, which is what makes a device one of VFIO's. */
static void read_vfio_node(int folder, struct device *device)
{
	DIR *stream = sysfs_list(folder, "vfio-dev");
	const struct dirent *entry;

	if (!stream)
		return;
	while ((entry = sysfs_next(stream))) {
		size_t length = strlen(entry->d_name);

		if (length > 4 && length < 16 && strncmp(entry->d_name, "vfio", 4) == 0 &&
		    strspn(entry->d_name + 4, "0123456789") == length - 4)
			snprintf(device->vfio_node, sizeof(device->vfio_node), "%s", entry->d_name);
	}
	closedir(stream);
}

/* Counted by their links: the attribute sriov_numvfs can't be read while somebody has the device's lock. */
static void read_virtual_functions(int folder, struct device *device)
{
	uint64_t most;
	DIR *stream;
	const struct dirent *entry;

	if (sysfs_read_number(folder, "sriov_totalvfs", UINT16_MAX, &most) < 0 || most == 0)
		return;
	device->pci.virtual_functions_max = (uint32_t)most;
	stream = sysfs_list(folder, ".");
	if (!stream)
		return;
	while ((entry = sysfs_next(stream)))
		if (strncmp(entry->d_name, "virtfn", 6) == 0 && device->pci.virtual_functions < most)
			device->pci.virtual_functions++;
	closedir(stream);
}

/* The bridge above it and its physical function: addresses, or nothing. */
static void read_relations(const struct host *host, int folder, struct device *device)
{
	char path[32 + DEVICE_NAME_MAX], target[4096], *slash;

	snprintf(path, sizeof(path), "bus/pci/devices/%s", device->name);
	if (sysfs_read_link(host->sys, path, target, sizeof(target)) == 0 && (slash = strrchr(target, '/'))) {
		*slash = '\0';
		if (pci_address_is_valid(path_last(target)) && strlen(path_last(target)) < sizeof(device->parent))
			snprintf(device->parent, sizeof(device->parent), "%s", path_last(target));
	}
	if (sysfs_read_link_name(folder, "physfn", target, sizeof(target)) == 0 && pci_address_is_valid(target) &&
	    strlen(target) < sizeof(device->pci.physical_function))
		snprintf(device->pci.physical_function, sizeof(device->pci.physical_function), "%s", target);
}

/* A name that can't be carried is shown as near as may be; its owner is then told that it can't be put back. */
static void make_driver_name(char out[static DRIVER_NAME_MAX], const char *text)
{
	size_t length = 0;

	for (; text[length] && length < DRIVER_NAME_MAX - 1; length++) {
		char one[2] = { text[length], '\0' };

		out[length] = one[0] == '.' || driver_name_is_valid(one, false) ? one[0] : '_';
	}
	out[length] = '\0';
	if (!driver_name_is_valid(out, false))
		memcpy(out, "unnamed", sizeof("unnamed"));
}

static int read_driver(const struct host *host, int folder, struct device *device)
{
	char text[256], path[64 + DRIVER_NAME_MAX];
	int error = sysfs_read_link_name(folder, "driver", text, sizeof(text));
	autoclose int driver = -1;

	if (error == -ENOENT)
		return 0;
	if (error < 0)
		return error;
	if (!driver_name_is_valid(text, false)) {
		complain(device->name, "driver", "has an unsupported name: the device cannot be claimed");
		make_driver_name(device->driver, text);
		device->driver_fixed = 1;
		return 0;
	}
	text_format(device->driver, sizeof(device->driver), "%s", text);
	snprintf(path, sizeof(path), "bus/pci/drivers/%s", device->driver);
	driver = sysfs_open_folder(host->sys, path);
	device->driver_fixed = driver < 0 || !sysfs_has(driver, "bind") || !sysfs_has(driver, "unbind");
	return 0;
}

/* What the thread that reads driver_override has. */
struct override_read {
	int folder;
	char text[256];
};

static int run_override_read(void *context)
{
	struct override_read *read = context;

	return sysfs_read(read->folder, "driver_override", read->text, sizeof(read->text));
}

static void free_override_read(void *context)
{
	struct override_read *read = context;

	close(read->folder);
	free(read);
}

static int read_override_text(int folder, const char *name, struct timed_call *timed_call, char *out, size_t size)
{
	const struct timed_call_task task = { .key = name, .run = run_override_read, .free = free_override_read };
	struct override_read *read;
	int error;

	if (!timed_call)
		return sysfs_read(folder, "driver_override", out, size);
	read = calloc(1, sizeof(*read));
	if (!read)
		return -ENOMEM;
	read->folder = fcntl(folder, F_DUPFD_CLOEXEC, 3);
	if (read->folder < 0) {
		free(read);
		return -errno;
	}
	error = timed_call_run(timed_call, &task, LOCK_PATIENCE_MSEC, read);
	if (error == -ETIMEDOUT)
		return error;
	if (error == 0)
		snprintf(out, size, "%s", read->text);
	free_override_read(read);
	return error;
}

/* 0, PCI_DEVICE_LOCKED, or -errno. */
static int read_override(int folder, struct timed_call *timed_call, struct device *device)
{
	char text[256];
	int error = read_override_text(folder, device->name, timed_call, text, sizeof(text));

	if (error == -ETIMEDOUT) {
		complain(device->name, "driver_override", "can't be read: the device is locked");
		device->driver_fixed = 1;
		return PCI_DEVICE_LOCKED;
	}
	if (error == -ENOENT || (error == 0 && strcmp(text, "(null)") == 0))
		return 0;
	if (error < 0 && error != -EBADMSG && error != -EMSGSIZE)
		return error;
	if (error < 0 || !driver_name_is_valid(text, true)) {
		complain(device->name, "driver_override", "is not a driver name: it could not be restored");
		device->driver_fixed = 1;
		return 0;
	}
	text_format(device->driver_override, sizeof(device->driver_override), "%s", text);
	return 0;
}

/* All but driver_override. 0 or -errno. */
static int read_fields(const struct host *host, int folder, struct device *device)
{
	int error = read_ids(folder, device);

	if (error == 0)
		error = read_identity(folder, device);
	if (error == 0)
		error = pci_device_group(folder, &device->group);
	if (error == 0)
		error = read_no_iommu(host, device);
	if (error == 0)
		error = read_driver(host, folder, device);
	if (error < 0)
		return error;
	read_numa_node(folder, device);
	read_reset_methods(folder, device);
	read_vfio_node(folder, device);
	read_virtual_functions(folder, device);
	read_relations(host, folder, device);
	/* Only what the kernel takes for a bridge has the attribute: header types 1 and 2. */
	device->pci.bridge = device->pci.class_code >> 8 == 0x0604 || sysfs_has(folder, "secondary_bus_number");
	return device_is_sane(device) ? 0 : -EBADMSG;
}

static int inspect(const struct host *host, const char *name, bool override, struct timed_call *timed_call,
		   struct device *out)
{
	autoclose int folder = pci_device_open(host, name);
	struct device device = { .kind = DEVICE_PCI };
	int result;

	if (folder < 0)
		return folder;
	text_format(device.name, sizeof(device.name), "%s", name);
	result = read_fields(host, folder, &device);
	if (result == 0 && override)
		result = read_override(folder, timed_call, &device);
	/* What is gone by now had every right to be unreadable. */
	if (result < 0 && pci_device_is_gone(folder))
		return -ENOENT;
	if (result == -EBADMSG || result == -EMSGSIZE) {
		complain(name, "folder", "has invalid attributes: the device is left out");
		return -EBADMSG;
	}
	if (result >= 0)
		*out = device;
	return result;
}

int pci_device_device(const struct host *host, const char *name, struct timed_call *timed_call, struct device *out)
{
	return inspect(host, name, true, timed_call, out);
}

int pci_device_summary(const struct host *host, const char *name, struct device *out)
{
	return inspect(host, name, false, NULL, out);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

int pci_device_members(const struct host *host, int32_t group, char (*name)[DEVICE_NAME_MAX], size_t max)
{
	char path[64];
	size_t count = 0;
	int error = 0;
	const struct dirent *entry;
	DIR *stream;

	snprintf(path, sizeof(path), "kernel/iommu_groups/%d/devices", group);
	stream = sysfs_list(host->sys, path);
	if (!stream)
		return -errno;
	while (error == 0 && (entry = sysfs_next(stream))) {
		if (!device_name_is_valid(entry->d_name) || strlen(entry->d_name) >= DEVICE_NAME_MAX)
			error = -EBADMSG;
		else if (count == max)
			error = -E2BIG;
		else
			snprintf(name[count++], DEVICE_NAME_MAX, "%s", entry->d_name);
	}
	closedir(stream);
	if (error < 0)
		return error;
	qsort(name, count, DEVICE_NAME_MAX, by_name);
	return (int)count;
}
