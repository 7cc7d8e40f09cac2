#include "net_view.h"

#include "../../../policy/util/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/route.h>
#include <stdlib.h>
#include <string.h>

/* A host with thousands of VLANs has more than a person will read. */
enum { DEPTH_MAX = 8, VISITS_MAX = 256, FINDINGS_MAX = 16, ENTRIES_MAX = 65536 };

struct net_address {
	char name[IF_NAMESIZE];
	char text[INET6_ADDRSTRLEN + 4];
};

/* A network that is reached through an interface directly. */
struct network {
	char name[IF_NAMESIZE];
	uint32_t address; /* as the wire has it */
	uint32_t mask;
};

/* What is needed while /proc/PID/net is read. */
struct reading {
	struct net_view *view;
	struct network *network;
	size_t network_count;
	char local[INET_ADDRSTRLEN]; /* the address that the last line of fib_trie spoke of */
	int error;
};

void net_view_begin(struct net_view *view, int sys, int proc, pid_t pid)
{
	*view = (struct net_view){ .sys = sys, .proc = proc, .pid = pid };
}

void net_view_done(struct net_view *view)
{
	free(view->route);
	free(view->address);
	*view = (struct net_view){ .sys = -1, .proc = -1 };
}

/* Makes room for one more in an array that grows by powers of two. */
static bool make_room(struct reading *reading, void **array, size_t count, size_t size)
{
	void *larger;

	if (count == ENTRIES_MAX)
		return false;
	if (count & (count - 1) || (count == 0 && *array))
		return true;
	larger = reallocarray(*array, count ? count * 2 : 1, size);
	if (!larger) {
		reading->error = -ENOMEM;
		return false;
	}
	*array = larger;
	return true;
}

static void add_route(struct reading *reading, const char *name)
{
	struct net_view *view = reading->view;

	for (size_t i = 0; i < view->route_count; i++)
		if (strcmp(view->route[i], name) == 0)
			return;
	if (make_room(reading, (void **)&view->route, view->route_count, sizeof(*view->route)))
		text_format(view->route[view->route_count++], IF_NAMESIZE, "%s", name);
}

static void add_address(struct reading *reading, const char *name, const char *text, unsigned prefix)
{
	struct net_view *view = reading->view;
	struct net_address address;

	text_format(address.name, sizeof(address.name), "%s", name);
	text_format(address.text, sizeof(address.text), "%s/%u", text, prefix);
	for (size_t i = 0; i < view->address_count; i++)
		if (strcmp(view->address[i].name, address.name) == 0 &&
		    strcmp(view->address[i].text, address.text) == 0)
			return;
	if (make_room(reading, (void **)&view->address, view->address_count, sizeof(*view->address)))
		view->address[view->address_count++] = address;
}

static void parse_route4(struct reading *reading, const char *line)
{
	char name[IF_NAMESIZE];
	unsigned destination, gateway, flags, mask;
	struct network network = { .name = "" };

	if (sscanf(line, "%15s %8x %8x %x %*s %*s %*s %8x", name, &destination, &gateway, &flags, &mask) != 5 ||
	    !(flags & RTF_UP) || (flags & RTF_REJECT))
		return;
	if (destination == 0 && mask == 0) {
		add_route(reading, name);
		return;
	}
	if (gateway != 0 ||
	    !make_room(reading, (void **)&reading->network, reading->network_count, sizeof(*reading->network)))
		return;
	text_format(network.name, sizeof(network.name), "%s", name);
	network.address = destination;
	network.mask = mask;
	reading->network[reading->network_count++] = network;
}

static void parse_route6(struct reading *reading, const char *line)
{
	char name[IF_NAMESIZE], destination[40];
	unsigned prefix, flags;

	if (sscanf(line, "%39s %x %*s %*s %*s %*s %*s %*s %x %15s", destination, &prefix, &flags, name) == 4 &&
	    strspn(destination, "0") == 32 && prefix == 0 && (flags & RTF_UP) && !(flags & RTF_REJECT))
		add_route(reading, name);
}

/* The interface of a local address is the one through which its network is reached directly: the narrowest such. */
static void place_address(struct reading *reading, const char *text)
{
	uint32_t widest = 0;
	struct in_addr address;

	if (inet_pton(AF_INET, text, &address) != 1 || ntohl(address.s_addr) >> 24 == 127)
		return;
	for (size_t i = 0; i < reading->network_count; i++) {
		const struct network *network = &reading->network[i];

		if ((address.s_addr & network->mask) == network->address && ntohl(network->mask) > widest)
			widest = ntohl(network->mask);
	}
	for (size_t i = 0; i < reading->network_count && widest != 0; i++) {
		const struct network *network = &reading->network[i];

		if (ntohl(network->mask) == widest && (address.s_addr & network->mask) == network->address)
			add_address(reading, network->name, text, (unsigned)__builtin_popcount(widest));
	}
}

/* "           |-- 10.0.2.15" and then "              /32 host LOCAL". */
static void parse_local4(struct reading *reading, const char *line)
{
	const char *leaf = strstr(line, "|-- ");

	if (leaf) {
		if (sscanf(leaf, "|-- %15s", reading->local) != 1)
			reading->local[0] = '\0';
	} else if (reading->local[0] && strstr(line, "/32 host LOCAL")) {
		place_address(reading, reading->local);
		reading->local[0] = '\0';
	}
}

/* "fe800000000000005054000000123456 02 40 20 80     eth0": an address of the link or the host alone says nothing. */
static void parse_address6(struct reading *reading, const char *line)
{
	char digits[33], name[IF_NAMESIZE], text[INET6_ADDRSTRLEN];
	unsigned prefix, scope, byte;
	struct in6_addr address;

	if (sscanf(line, "%32s %*s %x %x %*s %15s", digits, &prefix, &scope, name) != 4 || strlen(digits) != 32 ||
	    scope == 0x20 || scope == 0x10 || prefix > 128)
		return;
	for (size_t i = 0; i < 16; i++) {
		if (sscanf(digits + 2 * i, "%2x", &byte) != 1)
			return;
		address.s6_addr[i] = (uint8_t)byte;
	}
	if (inet_ntop(AF_INET6, &address, text, sizeof(text)))
		add_address(reading, name, text, prefix);
}

static int read_lines(struct reading *reading, const char *name, void (*parse)(struct reading *, const char *))
{
	char path[64], *line = NULL;
	size_t size = 0;
	FILE *stream;

	snprintf(path, sizeof(path), "%d/net/%s", reading->view->pid, name);
	stream = sysfs_lines(reading->view->proc, path);
	if (!stream)
		return errno == ENOENT ? 0 : -errno; /* a kernel without that protocol */
	while (reading->error == 0 && getline(&line, &size, stream) > 0)
		parse(reading, line);
	if (reading->error == 0 && ferror(stream))
		reading->error = -EIO;
	free(line);
	fclose(stream);
	return reading->error;
}

static int read_all(struct net_view *view)
{
	struct reading reading = { .view = view };
	int error;

	if (view->read)
		return 0;
	error = read_lines(&reading, "route", parse_route4);
	if (error == 0)
		error = read_lines(&reading, "ipv6_route", parse_route6);
	if (error == 0)
		error = read_lines(&reading, "fib_trie", parse_local4);
	if (error == 0)
		error = read_lines(&reading, "if_inet6", parse_address6);
	free(reading.network);
	view->read = error == 0;
	return error;
}

bool net_view_has(const struct net_view *view, const char *name)
{
	char path[64], *line = NULL;
	size_t size = 0;
	bool found = false;
	FILE *stream;

	snprintf(path, sizeof(path), "%d/net/dev", view->pid);
	stream = sysfs_lines(view->proc, path);
	while (stream && !found && getline(&line, &size, stream) > 0) {
		char *begin = line + strspn(line, " "), *colon = strchr(begin, ':');

		found = colon && (size_t)(colon - begin) == strlen(name) && strncmp(begin, name, strlen(name)) == 0;
	}
	free(line);
	if (stream)
		fclose(stream);
	return found;
}

/* The way up from an interface. */
struct climb {
	struct net_view *view;
	net_found found;
	void *context;
	size_t visits;
	size_t findings;
	bool routes;            /* routes are told in this round, else addresses */
	char highest[TEXT_MAX]; /* the chain of the first interface that has nothing above it */
};

static int tell(struct climb *climb, const char *chain, const char *end, bool is_route, bool is_address)
{
	char text[TEXT_MAX];
	struct net_finding finding = { .chain = text, .is_route = is_route, .is_address = is_address };

	if (climb->findings++ >= FINDINGS_MAX)
		return 0;
	text_format(text, sizeof(text), "%s%s", chain, end);
	return climb->found(climb->context, &finding);
}

/* What goes through this interface itself. */
static int tell_own(struct climb *climb, const char *name, const char *chain)
{
	const struct net_view *view = climb->view;
	char end[INET6_ADDRSTRLEN + 24];
	int result = 0;

	for (size_t i = 0; i < view->route_count && climb->routes && result == 0; i++)
		if (strcmp(view->route[i], name) == 0)
			result = tell(climb, chain, " > default route", true, false);
	for (size_t i = 0; i < view->address_count && !climb->routes && result == 0; i++) {
		if (strcmp(view->address[i].name, name) != 0)
			continue;
		snprintf(end, sizeof(end), " > address %s", view->address[i].text);
		result = tell(climb, chain, end, false, true);
	}
	return result;
}

/*
 * True for an interface that Open vSwitch may have made as a port of its own: virtual, of no kind, and with nothing
 * below. sysfs does not tie these to the switch.
 */
static bool may_be_switch_port(const struct net_view *view, const char *name)
{
	char path[64 + IF_NAMESIZE], target[512], line[256] = "", *text = NULL;
	const struct dirent *entry;
	bool port = true;
	size_t size = 0;
	FILE *stream;
	DIR *folder;

	snprintf(path, sizeof(path), "class/net/%s", name);
	if (sysfs_read_link(view->sys, path, target, sizeof(target)) < 0 || !strstr(target, "/virtual/"))
		return false;
	folder = sysfs_list(view->sys, path);
	while (folder && port && (entry = sysfs_next(folder)))
		port = strncmp(entry->d_name, "lower_", 6) != 0 && strcmp(entry->d_name, "tun_flags") != 0 &&
		       strcmp(entry->d_name, "bridge") != 0 && strcmp(entry->d_name, "bonding") != 0;
	if (folder)
		closedir(folder);
	snprintf(path, sizeof(path), "class/net/%s/uevent", name);
	stream = sysfs_lines(view->sys, path);
	while (stream && port && getline(&text, &size, stream) > 0) {
		snprintf(line, sizeof(line), "%s", text);
		port = strncmp(line, "DEVTYPE=", 8) != 0;
	}
	free(text);
	if (stream)
		fclose(stream);
	return port;
}

/* Open vSwitch: all that sysfs tells is that an interface belongs to it. Its own ports carry the routes and addresses.
 */
static int tell_switch(struct climb *climb, const char *chain)
{
	const struct net_view *view = climb->view;
	char longer[TEXT_MAX];
	int result = 0;

	for (size_t i = 0; i < view->route_count && climb->routes && result == 0; i++) {
		if (!may_be_switch_port(view, view->route[i]))
			continue;
		text_format(longer, sizeof(longer), "%s > %s", chain, view->route[i]);
		result = tell(climb, longer, " > default route", true, false);
	}
	return result;
}

static int climb_up(struct climb *climb, const char *name, const char *chain, int depth)
{
	char path[64 + IF_NAMESIZE];
	const struct dirent *entry;
	bool top = true;
	DIR *stream;
	int result = tell_own(climb, name, chain);

	if (result != 0)
		return result;
	if (strcmp(name, "ovs-system") == 0)
		result = tell_switch(climb, chain);
	snprintf(path, sizeof(path), "class/net/%s", name);
	stream = result == 0 && depth < DEPTH_MAX ? sysfs_list(climb->view->sys, path) : NULL;
	while (stream && result == 0 && climb->visits < VISITS_MAX && (entry = sysfs_next(stream))) {
		char longer[TEXT_MAX];

		if (strncmp(entry->d_name, "upper_", 6) != 0 || strlen(entry->d_name + 6) >= IF_NAMESIZE)
			continue;
		top = false;
		climb->visits++;
		text_format(longer, sizeof(longer), "%s > %s", chain, entry->d_name + 6);
		result = climb_up(climb, entry->d_name + 6, longer, depth + 1);
	}
	if (stream)
		closedir(stream);
	if (top && !climb->highest[0])
		text_format(climb->highest, sizeof(climb->highest), "%s", chain);
	return result;
}

int net_view_follow(struct net_view *view, const char *prefix, const char *name, net_found found, void *context)
{
	struct climb climb = { .view = view, .found = found, .context = context };
	char chain[TEXT_MAX];
	int result = read_all(view);

	if (result < 0)
		return result;
	text_format(chain, sizeof(chain), "%s%s", prefix, name);
	/* First what is worse. */
	for (int round = 0; round < 2 && result == 0; round++) {
		climb.routes = round == 0;
		climb.visits = 0;
		result = climb_up(&climb, name, chain, 0);
	}
	if (result == 0 && climb.findings == 0)
		result = tell(&climb, climb.highest, " is up", false, false);
	return result;
}
