#include "survey_functions.h"

#include "../../../policy/util/text.h"
#include "device_index.h"
#include "../devices/pci_device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* More than any device has: a limit against a sysfs that makes no sense. */
enum { FUNCTIONS_MAX = 16384 };

static int add(struct survey_functions *functions, const struct device *device)
{
	/* Grows by powers of two, from what was asked for on. */
	size_t added = functions->count - functions->asked;

	if (added == FUNCTIONS_MAX)
		return -E2BIG;
	if ((added & (added - 1)) == 0) {
		size_t room = functions->asked + (added ? added * 2 : 1);
		struct device *larger = reallocarray(functions->device, room, sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		functions->device = larger;
	}
	functions->device[functions->count++] = *device;
	return 0;
}

/* Adds the virtual functions of one device that are not asked about anyway. */
static int add_functions(const struct host *host, const struct device_index *asked, const char *name,
			 struct survey_functions *functions)
{
	char path[DEVICE_NAME_MAX + 32], address[DEVICE_NAME_MAX];
	const struct dirent *entry;
	int error = 0;
	DIR *stream;

	snprintf(path, sizeof(path), "bus/pci/devices/%s", name);
	stream = sysfs_list(host->sys, path);
	if (!stream)
		return errno == ENOENT ? 0 : -errno; /* unplugged meanwhile */
	while (error == 0 && (entry = sysfs_next(stream))) {
		struct device device;

		if (strncmp(entry->d_name, "virtfn", 6) != 0 ||
		    sysfs_read_link_name(dirfd(stream), entry->d_name, address, sizeof(address)) < 0 ||
		    device_index_find(asked, address))
			continue;
		error = pci_device_summary(host, address, &device);
		if (error == 0)
			error = add(functions, &device);
		else if (error == -ENOENT || error == -EBADMSG)
			error = 0;
	}
	closedir(stream);
	return error;
}

int survey_functions_find(const struct host *host, const struct device *device, size_t count,
			  struct survey_functions *out)
{
	struct survey_functions functions = { .count = count, .asked = count };
	struct device_index asked = { .item = NULL };
	int error;

	functions.device = calloc(count + 1, sizeof(*functions.device));
	error = functions.device ? device_index_begin(&asked, device, count) : -ENOMEM;
	if (error == 0 && count > 0)
		memcpy(functions.device, device, count * sizeof(*device));
	for (size_t i = 0; i < count && error == 0; i++)
		if (device_pci(&device[i])->virtual_functions > 0)
			error = add_functions(host, &asked, device[i].name, &functions);
	device_index_done(&asked);
	if (error < 0)
		survey_functions_done(&functions);
	else
		*out = functions;
	return error;
}

void survey_functions_done(struct survey_functions *functions)
{
	free(functions->device);
	*functions = (struct survey_functions){ .device = NULL };
}

/* True if there is nothing to be done: no device is a virtual function of another one here. */
static bool is_plain(const struct survey_functions *functions)
{
	for (size_t i = 0; i < functions->count; i++)
		if (device_pci(&functions->device[i])->physical_function[0])
			return false;
	return true;
}

int survey_functions_attribute(const struct survey_functions *functions, struct uses *uses)
{
	struct device_index index;
	size_t found = uses->count, kept = 0;
	int error;

	if (is_plain(functions))
		return 0;
	error = device_index_begin(&index, functions->device, functions->count);
	if (error < 0)
		return error;
	for (size_t i = 0; i < found && error == 0; i++) {
		const struct device *device = device_index_find(&index, uses->use[i].device);
		const char *physical = device ? device_pci(device)->physical_function : "";
		struct use use = { .kind = USE_VIRTUAL_FUNCTION, .severity = uses->use[i].severity };

		if (!physical[0] || !device_index_find(&index, physical))
			continue;
		text_format(use.device, sizeof(use.device), "%s", physical);
		text_format(use.text, sizeof(use.text), "virtual function %s > %s", device->name, uses->use[i].text);
		error = uses_add(uses, &use);
	}
	for (size_t i = 0; i < uses->count; i++) {
		const struct device *device = device_index_find(&index, uses->use[i].device);

		/* Behind the asked ones stand those that were added. */
		if (device && device < functions->device + functions->asked)
			uses->use[kept++] = uses->use[i];
	}
	uses->count = kept;
	device_index_done(&index);
	return error;
}
