#include "survey.h"

#include "../../policy/text.h"
#include "holders.h"
#include "process.h"
#include "survey_block.h"
#include "survey_network.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static int add_driver(const struct device *device, struct uses *uses)
{
	struct use use = { .kind = USE_DRIVER, .severity = SEVERITY_IDLE };
	int error = 0;

	text_format(use.device, sizeof(use.device), "%s", device->name);
	if (device->driver[0]) {
		text_format(use.text, sizeof(use.text), "%s is bound", device->driver);
		error = uses_add(uses, &use);
	}
	/* Its virtual functions end with the driver of the physical one, whoever has them. */
	if (error == 0 && device->virtual_functions > 0) {
		use.severity = SEVERITY_DISRUPTIVE;
		text_format(use.text, sizeof(use.text), "%u virtual functions are enabled", device->virtual_functions);
		error = uses_add(uses, &use);
	}
	return error;
}

/* The nodes of a VFIO device. Without numbers, by its name alone, if the device is on its way out. */
static void make_vfio_target(const struct host *host, const struct device *device, struct holder_target *target)
{
	char path[DEVICE_NAME_MAX + 64];
	struct stat status;

	*target = (struct holder_target){ 0 };
	text_format(target->device, sizeof(target->device), "%s", device->name);
	text_format(target->label, sizeof(target->label), "%s", device->vfio_node);
	snprintf(path, sizeof(path), "class/vfio-dev/%s/dev", device->vfio_node);
	sysfs_read_device_number(host->sys, path, &target->number);
	snprintf(path, sizeof(path), "class/vfio/%d/dev", device->group);
	sysfs_read_device_number(host->sys, path, &target->group);
	snprintf(path, sizeof(path), "vfio/devices/%s", device->vfio_node);
	if (fstatat(host->dev, path, &status, AT_SYMLINK_NOFOLLOW) == 0) {
		target->node_device = status.st_dev;
		target->node_inode = status.st_ino;
	}
}

static void make_block_target(const struct block_node *node, struct holder_target *target)
{
	*target = (struct holder_target){ .block = true, .number = node->number };
	text_format(target->device, sizeof(target->device), "%s", node->device);
	text_format(target->label, sizeof(target->label), "%s", node->name);
}

/* Where what a search of the processes finds goes to. */
struct finding {
	const struct host *host;
	struct uses *uses;
};

static int on_holder(void *context, const struct holder_target *target, pid_t pid)
{
	struct finding *finding = context;
	struct use use = { .severity = SEVERITY_DISRUPTIVE };
	char who[PROCESS_NAME_MAX + 16];

	process_label(finding->host, pid, who, sizeof(who));
	text_format(use.device, sizeof(use.device), "%s", target->device);
	if (target->block) {
		use.kind = USE_BLOCK;
		text_format(use.text, sizeof(use.text), "%s > open in %s", target->label, who);
	} else {
		use.kind = USE_HOLDER;
		use.pid = pid;
		text_format(use.text, sizeof(use.text), "%s > %s", target->label, who);
	}
	return uses_add(finding->uses, &use);
}

static int find_holders(const struct host *host, const struct device *device, size_t count,
			const struct block_nodes *nodes, struct patience *patience, struct uses *uses)
{
	struct finding finding = { .host = host, .uses = uses };
	struct holder_target *target = calloc(count + nodes->count + 1, sizeof(*target));
	size_t targets = 0;
	int error;

	if (!target)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (device_is_on_vfio(&device[i]))
			make_vfio_target(host, &device[i], &target[targets++]);
	/* What is mounted is in use anyway, and everybody may have it open. */
	for (size_t i = 0; i < nodes->count; i++)
		if (!nodes->node[nodes->node[i].disk].used)
			make_block_target(&nodes->node[i], &target[targets++]);
	error = holders_find(host, target, targets, patience, on_holder, &finding);
	free(target);
	return error;
}

int survey_devices(const struct host *host, const struct device *device, size_t count, bool processes,
		   struct patience *patience, struct uses *uses)
{
	struct block_nodes nodes = { 0 };
	int error = 0;

	for (size_t i = 0; i < count && error == 0; i++)
		error = add_driver(&device[i], uses);
	if (error == 0)
		error = survey_network(host, device, count, uses);
	if (error == 0)
		error = block_nodes_find(host, device, count, &nodes);
	if (error == 0)
		error = survey_block(host, &nodes, processes, uses);
	if (error == 0 && processes)
		error = find_holders(host, device, count, &nodes, patience, uses);
	block_nodes_done(&nodes);
	return error;
}
