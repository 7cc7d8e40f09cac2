#include "vfio_nodes.h"

#include "../../../policy/model/device.h"
#include "../../../policy/util/text.h"
#include "../../base/descriptors.h"
#include "../devices/pci_device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VDPA_NODE "vhost-vdpa-"

static int add(struct vfio_nodes *nodes, const struct audited_node *node)
{
	if (nodes->count == nodes->allocated) {
		size_t allocated = nodes->allocated ? nodes->allocated * 2 : 32;
		struct audited_node *larger = reallocarray(nodes->node, allocated, sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		nodes->node = larger;
		nodes->allocated = allocated;
	}
	nodes->node[nodes->count++] = *node;
	return 0;
}

/* The PCI function that a cdev is of, and its group. What is none, an mdev, has no name here. */
static void read_device(const struct host *host, const char *name, struct audited_node *node)
{
	char path[320], device[DEVICE_NAME_MAX];

	snprintf(path, sizeof(path), "class/vfio-dev/%s/device", name);
	autoclose int folder = sysfs_open_folder(host->sys, path);

	if (folder >= 0)
		pci_device_group(folder, &node->group);
	if (sysfs_read_link_name(host->sys, path, device, sizeof(device)) == 0 && device_name_is_valid(device))
		text_format(node->device, sizeof(node->device), "%s", device);
}

/* The nodes of one class. folder: of the nodes below /dev, with its "/". */
static int read_class(const struct host *host, const char *class, const char *folder, enum hold_kind kind,
		      struct vfio_nodes *nodes)
{
	const struct dirent *entry;
	char path[320];
	int error = 0;
	DIR *stream;

	snprintf(path, sizeof(path), "class/%s", class);
	stream = sysfs_list(host->sys, path);
	if (!stream)
		return errno == ENOENT ? 0 : -errno;
	while (error == 0 && (entry = sysfs_next(stream))) {
		struct audited_node node = { .kind = kind, .group = -1 };
		uint64_t group;

		snprintf(path, sizeof(path), "class/%s/%s/dev", class, entry->d_name);
		if (sysfs_read_device_number(host->sys, path, &node.number) < 0)
			continue; /* gone, or without a node */
		text_format(node.node, sizeof(node.node), "%s%s", folder, entry->d_name);
		if (kind == HOLD_DEVICE)
			read_device(host, entry->d_name, &node);
		if (kind == HOLD_GROUP && number_parse(entry->d_name, INT32_MAX, &group) == 0)
			node.group = (int32_t)group;
		error = add(nodes, &node);
	}
	closedir(stream);
	return error;
}

/* The node of a vDPA device, whose folder is named: a child of it, if the driver vhost_vdpa has it. */
static int read_vdpa_node(const struct host *host, const char *device, struct vfio_nodes *nodes)
{
	DIR *stream = sysfs_list(host->sys, device);
	const struct dirent *entry;
	int error = 0;

	if (!stream)
		return errno == ENOMEM || errno == EMFILE || errno == ENFILE ? -errno : 0; /* gone, or no folder */
	while (error == 0 && (entry = sysfs_next(stream))) {
		struct audited_node node = { .kind = HOLD_VDPA, .group = -1 };
		char path[640];

		if (strncmp(entry->d_name, VDPA_NODE, strlen(VDPA_NODE)) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s/dev", device, entry->d_name);
		if (sysfs_read_device_number(host->sys, path, &node.number) < 0)
			continue;
		text_format(node.node, sizeof(node.node), "%s", entry->d_name);
		error = add(nodes, &node);
	}
	closedir(stream);
	return error;
}

/*
 * The nodes of vhost-vdpa. They have no class: each is a child of its vDPA device. folder: of the devices, or of links
 * to them.
 */
static int read_vdpa(const struct host *host, const char *folder, struct vfio_nodes *nodes)
{
	DIR *stream = sysfs_list(host->sys, folder);
	const struct dirent *entry;
	char path[320];
	int error = 0;

	if (!stream)
		return errno == ENOENT ? 0 : -errno;
	while (error == 0 && (entry = sysfs_next(stream))) {
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		error = read_vdpa_node(host, path, nodes);
	}
	closedir(stream);
	return error;
}

/* One of the misc class. */
static int read_misc(const struct host *host, const char *name, const char *label, enum hold_kind kind,
		     struct vfio_nodes *nodes)
{
	struct audited_node node = { .kind = kind, .group = -1 };
	char path[64];

	snprintf(path, sizeof(path), "class/misc/%s/dev", name);
	if (sysfs_read_device_number(host->sys, path, &node.number) < 0)
		return 0;
	text_format(node.node, sizeof(node.node), "%s", label);
	return add(nodes, &node);
}

static int by_number(const void *a, const void *b)
{
	const struct audited_node *one = a, *other = b;

	return (one->number > other->number) - (one->number < other->number);
}

int vfio_nodes_read(const struct host *host, struct vfio_nodes *out)
{
	struct vfio_nodes nodes = { .node = NULL };
	int error = read_misc(host, "iommu", "iommu", HOLD_IOMMUFD, &nodes);

	if (error == 0)
		error = read_misc(host, "vfio", "vfio/vfio", HOLD_CONTAINER, &nodes);
	if (error == 0)
		error = read_class(host, "vfio", "vfio/", HOLD_GROUP, &nodes);
	if (error == 0)
		error = read_class(host, "vfio-dev", "vfio/devices/", HOLD_DEVICE, &nodes);
	if (error == 0)
		error = read_vdpa(host, "bus/vdpa/devices", &nodes);
	/* Those of simulators are here as well: a device that is just going has left its bus before its node. */
	if (error == 0)
		error = read_vdpa(host, "devices", &nodes);
	if (error < 0) {
		vfio_nodes_done(&nodes);
		return error;
	}
	if (nodes.count > 0)
		qsort(nodes.node, nodes.count, sizeof(*nodes.node), by_number);
	*out = nodes;
	return 0;
}

void vfio_nodes_done(struct vfio_nodes *nodes)
{
	free(nodes->node);
	*nodes = (struct vfio_nodes){ .node = NULL };
}

const struct audited_node *vfio_nodes_find(const struct vfio_nodes *nodes, dev_t number)
{
	const struct audited_node key = { .number = number };

	return nodes->count > 0 ? bsearch(&key, nodes->node, nodes->count, sizeof(*nodes->node), by_number) : NULL;
}
