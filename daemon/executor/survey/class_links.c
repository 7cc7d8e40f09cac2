#include "class_links.h"

#include "../../../policy/model/device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int add(struct class_links *links, const struct class_link *link)
{
	if (links->count == links->allocated) {
		size_t allocated = links->allocated ? links->allocated * 2 : 32;
		struct class_link *larger = reallocarray(links->link, allocated, sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		links->link = larger;
		links->allocated = allocated;
	}
	links->link[links->count++] = *link;
	return 0;
}

void class_links_done(struct class_links *links)
{
	free(links->link);
	*links = (struct class_links){ 0 };
}

/* A USB device's name in sysfs: "1-2.4". Not an interface of it ("1-2.4:1.0"), and not a root hub ("usb1"). */
static bool is_usb_device(const char *name)
{
	size_t bus = strspn(name, "0123456789");

	return bus > 0 && name[bus] == '-' && name[bus + 1] >= '1' && name[bus + 1] <= '9' &&
	       strspn(name + bus + 1, "0123456789.") == strlen(name + bus + 1);
}

void class_link_parse(char *path, struct class_link *link)
{
	char *rest = path, *component;
	const char *above = "", *last = "";

	while ((component = strsep(&rest, "/"))) {
		if (pci_address_is_valid(component) && strlen(component) < sizeof(link->device)) {
			memcpy(link->device, component, strlen(component) + 1);
			link->usb[0] = '\0';
		} else if (is_usb_device(component) && strlen(component) < sizeof(link->usb)) {
			memcpy(link->usb, component, strlen(component) + 1);
		}
		above = last;
		last = component;
	}
	if (strlen(above) < sizeof(link->above))
		memcpy(link->above, above, strlen(above) + 1);
	if (strlen(last) < sizeof(link->name))
		memcpy(link->name, last, strlen(last) + 1);
}

static int by_place(const void *a, const void *b)
{
	const struct class_link *one = a, *other = b;
	int order = strcmp(one->device, other->device);

	if (order == 0)
		order = strcmp(one->above, other->above);
	return order ? order : strcmp(one->name, other->name);
}

/*
 * Character devices that are of no hardware, by the numbers that the kernel reserves for them (devices.txt): virtual
 * terminals and their contents. They are most of what there is.
 */
static bool is_of_no_hardware(unsigned high, unsigned low)
{
	return high == 7 || (high == 4 && low < 64);
}

/* What stands at this entry. 0, -ENOMEM, or -errno of the entry's name. */
static int read_entry(int folder, const char *name, bool nodes, struct class_links *links)
{
	struct class_link link = { 0 };
	unsigned high, low;
	char target[4096];

	if (nodes && (sscanf(name, "%9u:%9u", &high, &low) != 2 || is_of_no_hardware(high, low)))
		return 0;
	/* No link: what stands beside the devices (bonding_masters). Gone: so it is no use any more. */
	if (strlen(name) >= sizeof(link.name) || sysfs_read_link(folder, name, target, sizeof(target)) < 0)
		return 0;
	class_link_parse(target, &link);
	if (nodes)
		link.number = makedev(high, low);
	else
		memcpy(link.name, name, strlen(name) + 1);
	/* Of those that are left many are of no hardware, too. */
	return nodes && !link.device[0] ? 0 : add(links, &link);
}

static int read_folder(const struct host *host, const char *path, bool nodes, struct class_links *out)
{
	struct class_links links = { 0 };
	const struct dirent *entry;
	DIR *stream = sysfs_list(host->sys, path);
	int error = 0;

	if (!stream && errno != ENOENT)
		return -errno;
	while (stream && error == 0 && (entry = sysfs_next(stream)))
		error = read_entry(dirfd(stream), entry->d_name, nodes, &links);
	if (stream)
		closedir(stream);
	if (error < 0) {
		class_links_done(&links);
		return error;
	}
	if (links.count > 0)
		qsort(links.link, links.count, sizeof(*links.link), by_place);
	*out = links;
	return 0;
}

int class_links_read(const struct host *host, const char *name, struct class_links *out)
{
	char path[64];

	snprintf(path, sizeof(path), "class/%s", name);
	return read_folder(host, path, false, out);
}

int class_links_read_some(const struct host *host, const char *name, const char *entries, struct class_links *out)
{
	struct class_links links = { 0 };
	char path[64], copy[256], *rest = copy, *entry;
	int folder, error = 0;

	snprintf(copy, sizeof(copy), "%s", entries);
	snprintf(path, sizeof(path), "class/%s", name);
	folder = sysfs_open_folder(host->sys, path);
	while (folder >= 0 && error == 0 && (entry = strsep(&rest, " ")))
		if (entry[0] && !strchr(entry, '/'))
			error = read_entry(folder, entry, false, &links);
	if (folder >= 0)
		close(folder);
	if (error < 0 || (folder < 0 && folder != -ENOENT)) {
		class_links_done(&links);
		return error < 0 ? error : folder;
	}
	if (links.count > 0)
		qsort(links.link, links.count, sizeof(*links.link), by_place);
	*out = links;
	return 0;
}

int class_links_read_folder(const struct host *host, const char *folder, struct class_links *out)
{
	return read_folder(host, folder, false, out);
}

int class_links_read_nodes(const struct host *host, struct class_links *out)
{
	return read_folder(host, "dev/char", true, out);
}

/* -1, 0, 1: the link stands before, among, or behind those that are looked for. above: NULL: in any folder. */
static int compare(const struct class_link *link, const char *device, const char *above)
{
	int order = strcmp(link->device, device);

	return order || !above ? order : strcmp(link->above, above);
}

static struct class_range find_range(const struct class_links *links, const char *device, const char *above)
{
	size_t low = 0, high = links->count, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(&links->link[middle], device, above) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < links->count && compare(&links->link[end], device, above) == 0; end++)
		;
	return (struct class_range){ .link = links->link ? links->link + low : NULL, .count = end - low };
}

struct class_range class_links_of(const struct class_links *links, const char *device)
{
	return find_range(links, device, NULL);
}

struct class_range class_links_above(const struct class_links *links, const char *device, const char *above)
{
	return find_range(links, device, above);
}
