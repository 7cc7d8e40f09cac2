#include "class_links.h"

#include "../../policy/device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

/* Finds the last PCI address in the path, and the component before the last. */
static void read_path(char *path, struct class_link *link)
{
	char *rest = path, *component;
	const char *above = "", *last = "";

	while ((component = strsep(&rest, "/"))) {
		if (pci_address_is_valid(component) && strlen(component) < sizeof(link->device))
			memcpy(link->device, component, strlen(component) + 1);
		above = last;
		last = component;
	}
	if (strlen(above) < sizeof(link->above))
		memcpy(link->above, above, strlen(above) + 1);
}

int class_links_read(const struct host *host, const char *name, struct class_links *out)
{
	struct class_links links = { 0 };
	const struct dirent *entry;
	int error = 0, folder;
	DIR *stream;
	char path[64] = "class/";

	strncat(path, name, sizeof(path) - strlen(path) - 1);
	stream = sysfs_list(host->sys, path);
	if (!stream && errno != ENOENT)
		return -errno;
	if (!stream) {
		*out = links;
		return 0;
	}
	folder = dirfd(stream);
	while (error == 0 && (entry = sysfs_next(stream))) {
		struct class_link link = { 0 };
		char target[4096];

		if (strlen(entry->d_name) >= sizeof(link.name))
			continue;
		/* No link: what stands beside the devices (bonding_masters). Gone: so it is no use any more. */
		if (sysfs_read_link(folder, entry->d_name, target, sizeof(target)) < 0)
			continue;
		memcpy(link.name, entry->d_name, strlen(entry->d_name) + 1);
		read_path(target, &link);
		error = add(&links, &link);
	}
	closedir(stream);
	if (error < 0)
		class_links_done(&links);
	else
		*out = links;
	return error;
}
