#include "survey.h"

#include "../../../policy/util/text.h"
#include "device_index.h"
#include "holders.h"
#include "../os/process.h"
#include "survey_block.h"
#include "survey_display.h"
#include "survey_functions.h"
#include "survey_network.h"
#include "survey_nodes.h"
#include "survey_platform.h"
#include "survey_usb.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The driver of the one device that a virtio function carries, which says more than that of the function. */
static bool read_virtio_driver(const struct host *host, const char *device, char out[static DRIVER_NAME_MAX])
{
	char path[DEVICE_NAME_MAX + 32];
	const struct dirent *entry;
	bool found = false;
	DIR *stream;

	snprintf(path, sizeof(path), "bus/pci/devices/%s", device);
	stream = sysfs_list(host->sys, path);
	while (stream && !found && (entry = sysfs_next(stream))) {
		char link[300];

		if (strncmp(entry->d_name, "virtio", 6) != 0)
			continue;
		snprintf(link, sizeof(link), "%s/driver", entry->d_name);
		found = sysfs_read_link_name(dirfd(stream), link, out, DRIVER_NAME_MAX) == 0;
	}
	if (stream)
		closedir(stream);
	return found;
}

static int add_driver(const struct host *host, const struct device *device, struct uses *uses)
{
	struct use use = { .kind = USE_DRIVER, .severity = SEVERITY_IDLE };
	char inner[DRIVER_NAME_MAX];
	int error = 0;

	text_format(use.device, sizeof(use.device), "%s", device->name);
	if (strcmp(device->driver, "virtio-pci") == 0 && read_virtio_driver(host, device->name, inner))
		text_format(use.text, sizeof(use.text), "%s > %s is bound", device->driver, inner);
	else
		text_format(use.text, sizeof(use.text), "%s is bound", device->driver);
	if (device->driver[0])
		error = uses_add(uses, &use);
	/* Its virtual functions end with the driver of the physical one, whoever has them. */
	if (error == 0 && device_pci(device)->virtual_functions > 0) {
		use.kind = USE_VIRTUAL_FUNCTION;
		use.severity = SEVERITY_DISRUPTIVE;
		text_format(use.text, sizeof(use.text), "%u virtual function%s enabled",
			    device_pci(device)->virtual_functions,
			    device_pci(device)->virtual_functions == 1 ? " is" : "s are");
		error = uses_add(uses, &use);
	}
	return error;
}

/*
 * True if a survey would have seen what the host does with a device of this class, or what this driver is for: then
 * that nothing was found says that it is idle.
 */
static bool is_understood(const struct use *use, const struct device *device)
{
	/* Storage, network, display, memory, bridges. */
	static const uint8_t base_classes[] = { 0x01, 0x02, 0x03, 0x05, 0x06 };
	/* Sound, serial lines, USB, IPMI. */
	static const uint16_t classes[] = { 0x0401, 0x0403, 0x0700, 0x0c03, 0x0c07 };
	static const char *const drivers[] = { "pci-stub",          "uio_pci_generic",
					       "igb_uio",           "snd_",
					       "virtio_rng is",     "virtio_balloon is",
					       "virtio_console is", "virtio_input is" };

	for (size_t i = 0; i < sizeof(base_classes); i++)
		if (device_pci(device)->class_code >> 16 == base_classes[i])
			return true;
	for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++)
		if (device_pci(device)->class_code >> 8 == classes[i])
			return true;
	for (size_t i = 0; i < sizeof(drivers) / sizeof(*drivers); i++)
		if (strstr(use->text, drivers[i]))
			return true;
	return device_is_on_vfio(device);
}

/* Says so where a driver is bound and nothing else was found, though something may be there. */
static int mark_unknown(const struct device *device, size_t count, struct uses *uses)
{
	struct device_index index;
	size_t *uses_of = calloc(count + 1, sizeof(*uses_of));
	int error = uses_of ? device_index_begin(&index, device, count) : -ENOMEM;

	if (error < 0) {
		free(uses_of);
		return error;
	}
	for (size_t i = 0; i < uses->count; i++) {
		const struct device *used = device_index_find(&index, uses->use[i].device);

		if (used)
			uses_of[used - device]++;
	}
	for (size_t i = 0; i < uses->count; i++) {
		struct use *use = &uses->use[i];
		const struct device *used = device_index_find(&index, use->device);

		if (use->kind != USE_DRIVER || !used || uses_of[used - device] != 1 || is_understood(use, used))
			continue;
		use->kind = USE_UNKNOWN_DRIVER;
		text_format(use->text, sizeof(use->text),
			    "driver %s is bound; ioasidd does not know what it is used for", used->driver);
	}
	device_index_done(&index);
	free(uses_of);
	return 0;
}

/* Where what a search of the processes finds goes to. */
struct finding {
	const struct host *host;
	struct uses *uses;
	/* What was told last, because a program that has one node open often has several. */
	char device[DEVICE_NAME_MAX];
	pid_t pid;
	uint32_t kinds;
};

/* True if the same was told of the process and another node of the device. */
static bool is_told(struct finding *finding, const struct holder_target *target, pid_t pid)
{
	bool same = finding->pid == pid && strcmp(finding->device, target->device) == 0;
	uint32_t kind = 1u << target->kind;

	if (same && (finding->kinds & kind))
		return true;
	finding->kinds = (same ? finding->kinds : 0) | kind;
	finding->pid = pid;
	text_format(finding->device, sizeof(finding->device), "%s", target->device);
	return false;
}

static int on_holder(void *context, const struct holder_target *target, pid_t pid)
{
	struct finding *finding = context;
	struct use use = { .kind = target->kind, .severity = SEVERITY_DISRUPTIVE };
	char who[PROCESS_NAME_MAX + 16];

	if (target->kind != USE_HOLDER && target->kind != USE_BLOCK && is_told(finding, target, pid))
		return 0;
	process_label(finding->host, pid, who, sizeof(who));
	text_format(use.device, sizeof(use.device), "%s", target->device);
	if (target->kind == USE_HOLDER) {
		use.pid = pid;
		text_format(use.text, sizeof(use.text), "%s > %s", target->label, who);
	} else {
		text_format(use.text, sizeof(use.text), "%s > open in %s", target->label, who);
	}
	return uses_add(finding->uses, &use);
}

static int find_holders(const struct host *host, const struct device *device, size_t count,
			const struct block_nodes *blocks, struct timed_call *timed_call, struct uses *uses)
{
	struct finding finding = { .host = host, .uses = uses };
	struct survey_nodes nodes;
	int error = survey_nodes_find(host, device, count, blocks, &nodes);

	if (error < 0)
		return error;
	error = holders_find(host, nodes.target, nodes.count, timed_call, on_holder, &finding);
	survey_nodes_done(&nodes);
	return error;
}

/*
 * True if a host driver has any of them. It takes a driver to make a link, a disk or a node: where there is none, as
 * while a claim has them, there is nothing that the long lists of the kernel's classes could tell.
 */
static bool is_driven(const struct device *device, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (device_is_on_host_driver(&device[i]))
			return true;
	return false;
}

static int survey_all(const struct host *host, const struct device *device, size_t count, bool processes,
		      struct timed_call *timed_call, struct uses *uses)
{
	bool driven = is_driven(device, count);
	struct block_nodes nodes = { 0 };
	int error = 0;

	for (size_t i = 0; i < count && error == 0; i++)
		error = add_driver(host, &device[i], uses);
	if (error == 0 && driven)
		error = survey_network(host, device, count, processes ? timed_call : NULL, uses);
	if (error == 0 && driven)
		error = block_nodes_find(host, device, count, &nodes);
	if (error == 0 && driven)
		error = survey_block(host, &nodes, processes, uses);
	/* A console may be on a display that no driver has. */
	if (error == 0)
		error = survey_display(host, device, count, uses);
	if (error == 0 && driven)
		error = survey_platform(host, device, count, uses);
	if (error == 0 && processes)
		error = find_holders(host, device, count, &nodes, timed_call, uses);
	/* The last, because it leaves out what the others have told of USB devices. */
	if (error == 0 && driven)
		error = survey_usb(host, device, count, uses);
	block_nodes_done(&nodes);
	return error;
}

int survey_devices(const struct host *host, const struct device *device, size_t count, bool processes,
		   struct timed_call *timed_call, struct uses *uses)
{
	struct survey_functions functions;
	struct uses found = { .use = NULL };
	int error = survey_functions_find(host, device, count, &functions);

	if (error < 0)
		return error;
	error = survey_all(host, functions.device, functions.count, processes, timed_call, &found);
	if (error == 0)
		error = mark_unknown(functions.device, functions.count, &found);
	/* What was found so far is told even where the survey is incomplete. */
	if (survey_functions_attribute(&functions, &found) < 0)
		error = -ENOMEM;
	for (size_t i = 0; i < found.count; i++)
		if (uses_add(uses, &found.use[i]) < 0)
			error = -ENOMEM;
	uses_done(&found);
	survey_functions_done(&functions);
	return error;
}
