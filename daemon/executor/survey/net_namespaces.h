/*
 * The network namespaces of other processes, to find an interface that our own sysfs does not show: through the sysfs
 * that a process has mounted for its namespace. That is a path that others control, so what is found there has to be a
 * sysfs, and the way there is limited in time. Needs CAP_SYS_PTRACE; enters no namespace.
 */
#pragma once

#include "class_links.h"
#include "net_view.h"
#include "../os/timed_call.h"

/* One namespace with a sysfs of its own. */
struct net_namespace {
	int sys;                  /* owned */
	char who[96];             /* a process that lives in it, "name[123]" */
	struct class_links links; /* of class/net */
	struct net_view view;
};

struct net_namespaces {
	struct net_namespace *item;
	size_t count;
};

/* Finds them all. A namespace without a process, or whose processes have no sysfs of it, can't be found. 0 or -ENOMEM.
 */
int net_namespaces_find(const struct host *host, struct timed_call *timed_call, struct net_namespaces *out);
void net_namespaces_done(struct net_namespaces *namespaces);
