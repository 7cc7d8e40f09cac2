#include "survey_network.h"

#include "../../../policy/util/text.h"
#include "class_links.h"
#include "net_namespaces.h"
#include "net_view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is needed while the interfaces are followed. */
struct search {
	const struct host *host;
	struct timed_call *timed_call;
	struct uses *uses;
	struct net_view view;
	struct net_namespaces elsewhere;
	bool looked_elsewhere;
};

/* Where a finding goes to. */
struct finding {
	struct uses *uses;
	const char *device;
	const char *who; /* NULL: in the host's own namespace */
};

static int add_use(struct uses *uses, const char *device, enum use_kind kind, enum severity severity, const char *text)
{
	struct use use = { .kind = kind, .severity = severity };

	text_format(use.device, sizeof(use.device), "%s", device);
	text_format(use.text, sizeof(use.text), "%s", text);
	return uses_add(uses, &use);
}

static int on_found(void *context, const struct net_finding *found)
{
	const struct finding *finding = context;
	char text[TEXT_MAX];

	if (finding->who) {
		/* A default route of a container's does not cut the host off. */
		text_format(text, sizeof(text), "%s in the network namespace of %s", found->chain, finding->who);
		return add_use(finding->uses, finding->device, USE_NAMESPACE, SEVERITY_DISRUPTIVE, text);
	}
	return add_use(finding->uses, finding->device, found->is_address ? USE_ADDRESS : USE_NETWORK_LINK,
		       found->is_route ? SEVERITY_FATAL : SEVERITY_DISRUPTIVE, found->chain);
}

/* Adds what goes through one interface, where it is up. who: NULL: our own namespace. */
static int add_interface(struct search *search, struct net_view *view, const struct class_link *link, const char *who)
{
	struct finding finding = { .uses = search->uses, .device = link->device, .who = who };
	char path[96], prefix[48] = "";
	uint64_t flags;
	int error;

	if (strlen(link->name) >= IF_NAMESIZE)
		return -EBADMSG;
	snprintf(path, sizeof(path), "class/net/%s/flags", link->name);
	error = sysfs_read_number(view->sys, path, UINT32_MAX, &flags);
	if (error == -ENOENT)
		return 0; /* gone meanwhile */
	if (error < 0)
		return error;
	if (link->usb[0])
		snprintf(prefix, sizeof(prefix), "USB %s > ", link->usb);
	if (flags & IFF_UP)
		return net_view_follow(view, prefix, link->name, on_found, &finding);
	if (who) {
		struct net_finding down = { .chain = link->name };

		return on_found(&finding, &down);
	}
	return 0;
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

	if (device_pci(device)->class_code >> 16 != 0x02 || !device_is_on_host_driver(device))
		return false;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (strcmp(device->driver, others[i]) == 0)
			return false;
	return strcmp(device->driver, "virtio-pci") != 0 || has_virtio_driver(host, device->name);
}

static int look_elsewhere(struct search *search)
{
	int error = 0;

	if (!search->looked_elsewhere && search->timed_call)
		error = net_namespaces_find(search->host, search->timed_call, &search->elsewhere);
	search->looked_elsewhere = true;
	return error;
}

/* Looks for the interfaces of a function in the namespaces of other processes. Returns how many there are, or -errno.
 */
static int add_elsewhere(struct search *search, const char *device)
{
	int found = 0, error = look_elsewhere(search);

	for (size_t i = 0; i < search->elsewhere.count && error == 0; i++) {
		struct net_namespace *there = &search->elsewhere.item[i];
		struct class_range range = class_links_of(&there->links, device);

		for (size_t k = 0; k < range.count && error == 0; k++, found++) {
			error = add_interface(search, &there->view, &range.link[k], there->who);
			/* A process that ends takes what it showed with it. */
			if (error != -ENOMEM && error < 0)
				error = add_use(search->uses, device, USE_NAMESPACE, SEVERITY_DISRUPTIVE,
						"its network interface is in another network namespace");
		}
	}
	return error < 0 ? error : found;
}

/* An attribute that is a number, or 0. */
static uint64_t read_attribute(int sys, const char *name, const char *attribute)
{
	char path[96];
	uint64_t number;

	snprintf(path, sizeof(path), "class/net/%s/%s", name, attribute);
	return sysfs_read_number(sys, path, UINT32_MAX, &number) == 0 ? number : 0;
}

/*
 * True for an interface on top of one with this index in our namespace: or else a veth whose other end has that index
 * in a third one, which can't be told apart here. So it must not decide by itself that something is used.
 */
static bool is_on_top(const struct net_namespace *there, const struct class_link *link, uint64_t index)
{
	return !link->device[0] && read_attribute(there->sys, link->name, "iflink") == index &&
	       read_attribute(there->sys, link->name, "ifindex") != index;
}

/* Interfaces that a container has on top of one of ours: our sysfs does not tie them together any more. */
static int add_on_top_elsewhere(struct search *search, const struct class_link *link)
{
	uint64_t index = read_attribute(search->host->sys, link->name, "ifindex");
	uint64_t flags = read_attribute(search->host->sys, link->name, "flags");
	int error = 0;

	/* One that is up is used anyway: this only says by whom. One that is down carries nothing. */
	if (flags & IFF_UP)
		error = look_elsewhere(search);
	else
		index = 0;

	for (size_t i = 0; i < search->elsewhere.count && index && error == 0; i++) {
		struct net_namespace *there = &search->elsewhere.item[i];
		struct finding finding = { .uses = search->uses, .device = link->device, .who = there->who };
		char prefix[IF_NAMESIZE + 8];

		snprintf(prefix, sizeof(prefix), "%.15s > ", link->name);
		for (size_t k = 0; k < there->links.count && error == 0; k++) {
			const struct class_link *above = &there->links.link[k];

			if (strlen(above->name) >= IF_NAMESIZE || !is_on_top(there, above, index))
				continue;
			error = net_view_follow(&there->view, prefix, above->name, on_found, &finding);
			/* Its process has ended: so it is no use any more. */
			if (error != -ENOMEM)
				error = 0;
		}
	}
	return error;
}

static int add_device(struct search *search, const struct class_links *links, const struct device *device)
{
	struct class_range range = class_links_of(links, device->name);
	int error = 0;

	for (size_t i = 0; i < range.count && error == 0; i++) {
		error = add_interface(search, &search->view, &range.link[i], NULL);
		if (error == 0 && search->timed_call)
			error = add_on_top_elsewhere(search, &range.link[i]);
	}
	if (error < 0 || range.count > 0 || !should_have_interface(search->host, device))
		return error;
	error = add_elsewhere(search, device->name);
	if (error == 0)
		error = add_use(search->uses, device->name, USE_NAMESPACE, SEVERITY_DISRUPTIVE,
				"its network interface is in another network namespace");
	return error < 0 ? error : 0;
}

int survey_network(const struct host *host, const struct device *device, size_t count, struct timed_call *timed_call,
		   struct uses *uses)
{
	struct search search = { .host = host, .timed_call = timed_call, .uses = uses };
	struct class_links links;
	int error = class_links_read(host, "net", &links);

	if (error < 0)
		return error;
	net_view_begin(&search.view, host->sys, host->proc, 1);
	for (size_t i = 0; i < count && error == 0; i++)
		error = add_device(&search, &links, &device[i]);
	net_view_done(&search.view);
	net_namespaces_done(&search.elsewhere);
	class_links_done(&links);
	return error;
}
