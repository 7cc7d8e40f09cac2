/*
 * Who asks over the bus: user, groups and process of a connection, as the bus itself tells them, and nobody else. What
 * was told holds until the connection is gone, which the bus tells, too; no longer, and for no other.
 */
#pragma once

#include "../../../../policy/model/subject.h"

#include <systemd/sd-bus.h>

struct bus_caller {
	char name[256];         /* the connection's unique name */
	bool known;             /* subject and pidfd are */
	struct subject subject; /* its unit is known only with a pidfd */
	int pidfd;              /* of subject.pid, owned; -1 where the bus gives none */
	size_t calls;           /* that refer to it; it is not forgotten as long as there are some */
	sd_bus_slot *question;  /* to the bus, under way */
	struct bus_callers *callers;
	struct bus_caller *next; /* bus_callers::first */
};

struct bus_callers_events {
	void (*known)(void *context, struct bus_caller *caller);
	/* The bus does not tell who it is: message says why. The caller is forgotten after this. */
	void (*unknown)(void *context, struct bus_caller *caller, const char *message);
	/* It has left the bus, or the bus is gone. The caller is forgotten after this. */
	void (*gone)(void *context, struct bus_caller *caller);
};

struct bus_callers;

struct bus_callers *bus_callers_new(const struct bus_callers_events *events, void *context); /* NULL: out of memory */
struct bus_callers *bus_callers_free(struct bus_callers *callers);
/* A new connection to the bus: nothing is asked on it before this. 0 or -errno. */
int bus_callers_up(struct bus_callers *callers, sd_bus *bus);
void bus_callers_down(struct bus_callers *callers);
/*
 * The connection of that name. If it is not known yet the bus is asked, and an event tells what came of it, after this
 * has returned. If there are too many, which is a quarter of all descriptors, one that has no calls is forgotten: the
 * bus can be asked again. -EUSERS: there is none such; -ENOMEM, -errno.
 */
int bus_callers_get(struct bus_callers *callers, const char *name, struct bus_caller **out);
