/*
 * One network namespace, as a process that lives in it sees it: which interfaces have a default route or an address,
 * and what stands on top of an interface. Reads /proc/PID/net and a sysfs; enters no namespace and opens no socket.
 */
#pragma once

#include "../../../include/words.h"
#include "../os/sysfs.h"

#include <net/if.h>

struct net_address;

struct net_view {
	int sys; /* the sysfs that shows this namespace's interfaces */
	int proc;
	pid_t pid;
	bool read;                  /* the rest is filled: that is done when it is first asked for */
	char (*route)[IF_NAMESIZE]; /* the interfaces that have a default route */
	size_t route_count;
	struct net_address *address;
	size_t address_count;
};

/* Keeps the FDs, which stay the caller's. */
void net_view_begin(struct net_view *view, int sys, int proc, pid_t pid);
void net_view_done(struct net_view *view);

/* One thing that goes through an interface. */
struct net_finding {
	const char *chain; /* "eth0 > br0 > default route", "eth0 > address 10.0.2.15/24", "eth0 is up" */
	bool is_route;
	bool is_address;
};
/* A negative value ends it and is returned. */
typedef int (*net_found)(void *context, const struct net_finding *finding);

/*
 * Tells what goes through an interface: default routes, addresses, and if there is neither, that it is up. Follows the
 * bonds, bridges, VLANs and so on that are on top of it. prefix: what the chain begins with. 0, what found() returned,
 * -ENOMEM, or -errno: incomplete.
 */
int net_view_follow(struct net_view *view, const char *prefix, const char *name, net_found found, void *context);
/* True if there is an interface of that name. */
bool net_view_has(const struct net_view *view, const char *name);
