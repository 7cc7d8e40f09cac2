#include "host_file.h"

#include "../../policy/util/json_fields.h"
#include "../../policy/util/json_write.h"
#include "../../policy/report/snapshot.h"
#include "../../policy/util/text.h"
#include "../base/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

/* Everything that a device refers to has to be there. */
static int check_references(const struct json_value *value, const struct machine *machine, const struct device *device,
			    struct json_problem *problem)
{
	const struct simulated_device *parent = machine_find(machine, device->parent);
	const struct simulated_device *function = machine_find(machine, device_pci(device)->physical_function);

	return snapshot_check_references(value, device, parent ? &parent->now : NULL, function ? &function->now : NULL,
					 problem);
}

static int add(const struct json_value *value, struct machine *machine, const struct device_description *description,
	       struct json_problem *problem)
{
	int error = machine_add(machine, description);

	if (error == -EEXIST)
		return json_fields_refuse(value, false, problem, "duplicate device %s", description->device.name);
	if (error == -EADDRINUSE)
		return json_fields_refuse(value, false, problem, "another device has the node %s",
					  description->device.vfio_node);
	return error;
}

int host_add_device(const struct json_value *value, struct machine *machine, struct json_problem *problem)
{
	struct device_description description;
	int error = device_from_json(value, SNAPSHOT_VERSION, &description, problem);

	if (error < 0)
		return error;
	error = check_references(value, machine, &description.device, problem);
	if (error == 0)
		error = add(value, machine, &description, problem);
	description_done(&description);
	return error;
}

int host_add_use(const struct json_value *value, struct machine *machine, struct json_problem *problem)
{
	struct simulated_device *device;
	struct use use;
	int error = use_from_json(value, &use, problem);

	if (error < 0)
		return error;
	device = machine_find(machine, use.device);
	return device ? machine_add_use(device, &use) : snapshot_refuse_missing(value, "device", problem);
}

/* Every start is a boot of its own. */
static int make_boot_id(char out[static 40])
{
	uint8_t byte[16];
	size_t length = 0;

	if (getrandom(byte, sizeof(byte), 0) != sizeof(byte))
		return -EIO;
	byte[6] = (uint8_t)(0x40 | (byte[6] & 0x0f));
	byte[8] = (uint8_t)(0x80 | (byte[8] & 0x3f));
	for (size_t i = 0; i < sizeof(byte); i++)
		length += (size_t)snprintf(out + length, 40 - length, "%s%02x",
					   i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", byte[i]);
	return 0;
}

static int fill(struct machine *machine, const struct snapshot *snapshot)
{
	int error = 0;

	machine->kernel = snapshot->kernel;
	machine->has_vfio_pci = snapshot->has_vfio_pci;
	if (*snapshot->boot_id)
		memcpy(machine->boot_id, snapshot->boot_id, sizeof(machine->boot_id));
	else
		error = make_boot_id(machine->boot_id);
	for (size_t i = 0; error == 0 && i < snapshot->count; i++)
		error = machine_add(machine, &snapshot->device[i]);
	for (size_t i = 0; error == 0 && i < snapshot->uses.count; i++) {
		const struct use *use = &snapshot->uses.use[i];

		error = machine_add_use(machine_find(machine, use->device), use);
	}
	return error;
}

int host_text_load(const char *text, size_t length, struct machine *machine, struct json_problem *problem)
{
	struct snapshot snapshot;
	int error = snapshot_read(text, length, &snapshot, problem);

	if (error < 0)
		return error;
	error = fill(machine, &snapshot);
	snapshot_done(&snapshot);
	return error;
}

static int refuse_file(struct json_problem *problem, const char *why)
{
	*problem = (struct json_problem){ .line = 0 };
	text_format(problem->message, sizeof(problem->message), "can't be read: %s", why);
	return -EINVAL;
}

int host_file_load(const char *path, struct machine *machine, struct json_problem *problem)
{
	/* Opening a FIFO must not wait for a writer. */
	autoclose int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	size_t length = 0;
	char *text;
	int error;

	if (file < 0 || fstat(file, &status) < 0)
		return refuse_file(problem, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return refuse_file(problem, "it is not a regular file");
	if (status.st_size > SNAPSHOT_TEXT_MAX)
		return refuse_file(problem, "it is larger than 64 MiB");
	text = malloc((size_t)status.st_size + 1);
	if (!text)
		return -ENOMEM;
	while (length < (size_t)status.st_size) {
		ssize_t got = read(file, text + length, (size_t)status.st_size - length);

		if (got < 0 && errno != EINTR) {
			error = refuse_file(problem, strerror(errno));
			free(text);
			return error;
		}
		if (got == 0)
			break;
		length += got > 0 ? (size_t)got : 0;
	}
	error = host_text_load(text, length, machine, problem);
	free(text);
	return error;
}

static void add_device(struct json_object *devices, struct json_object *uses, const struct simulated_device *device)
{
	const struct device_description now = { device->now, device->driver, device->driver_count };

	json_add(devices, device_to_json(&now));
	for (size_t i = 0; i < device->use_count; i++)
		json_add(uses, use_to_json(&device->use[i].use));
}

struct json_object *host_to_json(const struct machine *machine)
{
	struct json_object *host = json_make_object(), *devices = json_make_array(), *uses = json_make_array();
	const struct simulated_device *device;

	TAILQ_FOREACH(device, &machine->devices, link)
	add_device(devices, uses, device);
	json_set(host, "version", json_make_number(SNAPSHOT_VERSION));
	json_set(host, "kernel", snapshot_kernel_to_json(&machine->kernel, machine->has_vfio_pci));
	json_set(host, "boot_id", json_make_string_or_null(machine->boot_id));
	json_set(host, "devices", devices);
	json_set(host, "uses", uses);
	return host;
}
