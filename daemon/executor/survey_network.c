#include "survey_network.h"

#include "../../policy/text.h"
#include "class_links.h"

#include <errno.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 8, ROUTES_MAX = 64 };

/* The interfaces that have a default route. Read when the first link that is up asks for them. */
struct routes {
	char name[ROUTES_MAX][IF_NAMESIZE];
	size_t count;
	bool read;
};

static void add_route(struct routes *routes, const char *name)
{
	if (strlen(name) < IF_NAMESIZE && routes->count < ROUTES_MAX)
		text_format(routes->name[routes->count++], IF_NAMESIZE, "%s", name);
}

static void parse_route4(struct routes *routes, const char *line)
{
	char name[IF_NAMESIZE], destination[16], mask[16];
	unsigned flags;

	if (sscanf(line, "%15s %15s %*s %x %*s %*s %*s %15s", name, destination, &flags, mask) == 4 &&
	    strcmp(destination, "00000000") == 0 && strcmp(mask, "00000000") == 0 &&
	    (flags & RTF_UP) && !(flags & RTF_REJECT))
		add_route(routes, name);
}

static void parse_route6(struct routes *routes, const char *line)
{
	char name[IF_NAMESIZE], destination[40];
	unsigned prefix, flags;

	if (sscanf(line, "%39s %x %*s %*s %*s %*s %*s %*s %x %15s", destination, &prefix, &flags, name) == 4 &&
	    strspn(destination, "0") == 32 && prefix == 0 && (flags & RTF_UP) && !(flags & RTF_REJECT))
		add_route(routes, name);
}

static int read_routes(const struct host *host, const char *file, void (*parse)(struct routes *, const char *),
		       struct routes *routes)
{
	FILE *stream = sysfs_lines(host->proc, file);
	char *line = NULL;
	size_t size = 0;
	int error;

	if (!stream)
		return errno == ENOENT ? 0 : -errno; /* a kernel without that protocol */
	while (getline(&line, &size, stream) > 0)
		parse(routes, line);
	error = ferror(stream) ? -EIO : 0;
	free(line);
	fclose(stream);
	return error;
}

static int read_all_routes(const struct host *host, struct routes *routes)
{
	int error = 0;

	if (!routes->read)
		error = read_routes(host, "1/net/route", parse_route4, routes);
	if (!routes->read && error == 0)
		error = read_routes(host, "1/net/ipv6_route", parse_route6, routes);
	routes->read = error == 0;
	return error;
}

static bool has_default_route(const struct routes *routes, const char *name)
{
	for (size_t i = 0; i < routes->count; i++)
		if (strcmp(routes->name[i], name) == 0)
			return true;
	return false;
}

/*
 * Looks for a default route through an interface, or through the bridges, bonds and VLANs on top of it. True with the
 * way there appended to the chain, which ends in this interface.
 */
static bool find_route(const struct host *host, const struct routes *routes, const char *name, int depth,
		       char chain[static TEXT_MAX])
{
	char path[64 + IF_NAMESIZE];
	const struct dirent *entry;
	bool found = false;
	DIR *stream;

	if (has_default_route(routes, name)) {
		text_append(chain, TEXT_MAX, " > default route");
		return true;
	}
	snprintf(path, sizeof(path), "class/net/%s", name);
	stream = depth < DEPTH_MAX ? sysfs_list(host->sys, path) : NULL;
	while (stream && !found && (entry = sysfs_next(stream))) {
		char longer[TEXT_MAX];

		if (strncmp(entry->d_name, "upper_", 6) != 0 || strlen(entry->d_name + 6) >= IF_NAMESIZE)
			continue;
		text_format(longer, sizeof(longer), "%s > %s", chain, entry->d_name + 6);
		found = find_route(host, routes, entry->d_name + 6, depth + 1, longer);
		if (found)
			text_format(chain, TEXT_MAX, "%s", longer);
	}
	if (stream)
		closedir(stream);
	return found;
}

static int add_use(struct uses *uses, const char *device, enum use_kind kind, enum severity severity, const char *text)
{
	struct use use = { .kind = kind, .severity = severity };

	text_format(use.device, sizeof(use.device), "%s", device);
	text_format(use.text, sizeof(use.text), "%s", text);
	return uses_add(uses, &use);
}

static int add_interface(const struct host *host, struct routes *routes, const struct class_link *link,
			 struct uses *uses)
{
	char path[96], chain[TEXT_MAX];
	uint64_t flags;
	int error;

	if (strlen(link->name) >= IF_NAMESIZE)
		return -EBADMSG;
	snprintf(path, sizeof(path), "class/net/%s/flags", link->name);
	error = sysfs_read_number(host->sys, path, UINT32_MAX, &flags);
	if (error == -ENOENT)
		return 0; /* gone meanwhile */
	if (error < 0)
		return error;
	if (!(flags & IFF_UP))
		return 0;
	error = read_all_routes(host, routes);
	if (error < 0)
		return error;
	text_format(chain, sizeof(chain), "%s", link->name);
	if (find_route(host, routes, link->name, 0, chain))
		return add_use(uses, link->device, USE_NETWORK_LINK, SEVERITY_FATAL, chain);
	text_append(chain, sizeof(chain), " is up");
	return add_use(uses, link->device, USE_NETWORK_LINK, SEVERITY_DISRUPTIVE, chain);
}

/* A virtio function carries one more device, and that one the network driver. */
static bool has_virtio_driver(const struct host *host, const char *device)
{
	const struct dirent *entry;
	bool found = false;
	char path[300];
	DIR *stream;

	snprintf(path, sizeof(path), "bus/pci/devices/%s", device);
	stream = sysfs_list(host->sys, path);
	while (stream && !found && (entry = sysfs_next(stream))) {
		char driver[512];

		if (strncmp(entry->d_name, "virtio", 6) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/driver", entry->d_name);
		found = sysfs_read_link(dirfd(stream), path, driver, sizeof(driver)) == 0;
	}
	if (stream)
		closedir(stream);
	return found;
}

/* True if the bound driver is one that makes a network interface of the device. */
static bool should_have_interface(const struct host *host, const struct device *device)
{
	static const char *const others[] = { "pci-stub", "uio_pci_generic", "igb_uio" };

	if (device->class_code >> 16 != 0x02 || !device->driver[0] || device_is_on_vfio(device))
		return false;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (strcmp(device->driver, others[i]) == 0)
			return false;
	return strcmp(device->driver, "virtio-pci") != 0 || has_virtio_driver(host, device->name);
}

int survey_network(const struct host *host, const struct device *device, size_t count, struct uses *uses)
{
	struct class_links links;
	struct routes routes = { .read = false };
	int error = class_links_read(host, "net", &links);

	if (error < 0)
		return error;
	for (size_t i = 0; i < count && error == 0; i++) {
		bool found = false;

		for (size_t k = 0; k < links.count && error == 0; k++) {
			if (!links.link[k].device[0] || strcmp(links.link[k].device, device[i].name) != 0)
				continue;
			found = true;
			error = add_interface(host, &routes, &links.link[k], uses);
		}
		if (error == 0 && !found && should_have_interface(host, &device[i]))
			error = add_use(uses, device[i].name, USE_NAMESPACE, SEVERITY_DISRUPTIVE,
					"its network interface is in another network namespace");
	}
	class_links_done(&links);
	return error;
}
