#include "bus_caller.h"

#include "../../../../policy/util/name_table.h"
#include "../../../base/descriptors.h"
#include "../../../base/log.h"
#include "../../../base/peer_unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define DRIVER "org.freedesktop.DBus"
#define DRIVER_PATH "/org/freedesktop/DBus"

enum { CALLERS_MAX = 4096 };

struct bus_callers {
	const struct bus_callers_events *events;
	void *context;
	sd_bus *bus; /* NULL while there is none */
	sd_bus_slot *departures;
	struct name_table by_name;
	size_t most;
	struct bus_caller *first;
};

static void forget(struct bus_caller *caller)
{
	struct bus_callers *callers = caller->callers;
	struct bus_caller **link = &callers->first;

	while (*link != caller)
		link = &(*link)->next;
	*link = caller->next;
	name_table_remove(&callers->by_name, caller->name);
	sd_bus_slot_unref(caller->question);
	descriptor_close(&caller->pidfd);
	free(caller);
}

static int read_groups(sd_bus_message *message, struct subject *subject)
{
	const uint32_t *group = NULL;
	size_t size = 0;
	int result = sd_bus_message_enter_container(message, 'v', "au");

	if (result >= 0)
		result = sd_bus_message_read_array(message, 'u', (const void **)&group, &size);
	if (result < 0)
		return result;
	if (size / sizeof(*group) > SUBJECT_GROUPS_MAX)
		return -E2BIG;
	for (size_t i = 0; i < size / sizeof(*group); i++)
		subject->groups[i] = group[i];
	subject->group_count = size / sizeof(*group);
	return sd_bus_message_exit_container(message);
}

enum { HAS_USER = 1 << 0, HAS_GROUPS = 1 << 1 };

/* Reads one fact. Which of those that are needed it was, 0, or -errno. */
static int read_fact(sd_bus_message *message, struct subject *subject, int *pidfd)
{
	uint32_t number = 0;
	const char *key;
	int fd = -1, result = sd_bus_message_read(message, "s", &key);

	if (result < 0)
		return result;
	if (strcmp(key, "UnixUserID") == 0) {
		result = sd_bus_message_read(message, "v", "u", &number);
		subject->uid = number;
		/* This number means nobody at all. */
		return result < 0 ? result : number == UINT32_MAX ? -EINVAL : HAS_USER;
	}
	if (strcmp(key, "UnixGroupIDs") == 0) {
		result = read_groups(message, subject);
		return result < 0 ? result : HAS_GROUPS;
	}
	if (strcmp(key, "ProcessID") == 0) {
		result = sd_bus_message_read(message, "v", "u", &number);
		subject->pid = result >= 0 && number <= INT32_MAX ? (pid_t)number : 0;
		return result < 0 ? result : 0;
	}
	if (strcmp(key, "ProcessFD") == 0) {
		result = sd_bus_message_read(message, "v", "h", &fd);
		if (result >= 0 && *pidfd < 0)
			*pidfd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		return result < 0 ? result : 0;
	}
	result = sd_bus_message_skip(message, "v");
	return result < 0 ? result : 0;
}

/* What the bus said. All of it is needed: a rule could be about a group that it does not tell of. 0 or -errno. */
static int read_credentials(sd_bus_message *message, struct bus_caller *caller)
{
	struct subject found = { .uid = (uid_t)-1, .gid = (gid_t)-1 };
	autoclose int fd = -1;
	int has = 0, result = sd_bus_message_enter_container(message, 'a', "{sv}");

	while (result >= 0 && (result = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
		int fact = read_fact(message, &found, &fd);

		has |= fact > 0 ? fact : 0;
		result = fact < 0 ? fact : sd_bus_message_exit_container(message);
	}
	if (result < 0)
		return result;
	if (has != (HAS_USER | HAS_GROUPS))
		return -ENODATA;
	if (fd >= 0)
		peer_unit_read(fd, found.pid, found.unit, sizeof(found.unit));
	caller->subject = found;
	caller->pidfd = descriptor_take(&fd);
	return 0;
}

static int on_credentials(sd_bus_message *reply, void *context, sd_bus_error *ignored)
{
	struct bus_caller *caller = context;
	struct bus_callers *callers = caller->callers;
	const char *sender = sd_bus_message_get_sender(reply);
	char message[256] = "the bus does not identify the caller";
	int error = -EPERM;

	caller->question = sd_bus_slot_unref(caller->question);
	/* Nobody else is believed. At the end of a connection the library answers in its place, with an error. */
	if (!sd_bus_message_is_method_error(reply, NULL) && sender && strcmp(sender, DRIVER) == 0)
		error = read_credentials(reply, caller);
	if (error == 0) {
		caller->known = true;
		callers->events->known(callers->context, caller);
		return 0;
	}
	if (error == -E2BIG)
		snprintf(message, sizeof(message), "you are in more than %d groups, which is not supported",
			 SUBJECT_GROUPS_MAX);
	else if (error == -ENODATA)
		snprintf(message, sizeof(message), "the bus does not pass your user and groups: it is too old");
	callers->events->unknown(callers->context, caller, message);
	forget(caller);
	return 0;
}

static int on_departure(sd_bus_message *signal, void *context, sd_bus_error *error)
{
	struct bus_callers *callers = context;
	const char *name, *before, *after;
	struct bus_caller *caller;

	if (sd_bus_message_read(signal, "sss", &name, &before, &after) < 0 || after[0])
		return 0;
	caller = name_table_find(&callers->by_name, name);
	if (caller) {
		callers->events->gone(callers->context, caller);
		forget(caller);
	}
	return 0;
}

/* Each may have a descriptor, and this program needs others. */
static size_t most_callers(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 4 > CALLERS_MAX)
		return CALLERS_MAX;
	return (size_t)limit.rlim_cur / 4;
}

struct bus_callers *bus_callers_new(const struct bus_callers_events *events, void *context)
{
	struct bus_callers *callers = calloc(1, sizeof(*callers));

	if (callers) {
		callers->events = events;
		callers->context = context;
		callers->most = most_callers();
	}
	return callers;
}

struct bus_callers *bus_callers_free(struct bus_callers *callers)
{
	if (!callers)
		return NULL;
	bus_callers_down(callers);
	name_table_done(&callers->by_name);
	free(callers);
	return NULL;
}

int bus_callers_up(struct bus_callers *callers, sd_bus *bus)
{
	/* One match for all: a bus allows a connection some hundreds of them. */
	int error = sd_bus_add_match_async(bus, &callers->departures,
					   "type='signal',sender='" DRIVER "',path='" DRIVER_PATH "',interface='" DRIVER
					   "',member='NameOwnerChanged',arg2=''",
					   on_departure, NULL, callers);

	if (error < 0)
		return error;
	callers->bus = bus;
	return 0;
}

void bus_callers_down(struct bus_callers *callers)
{
	while (callers->first) {
		callers->events->gone(callers->context, callers->first);
		forget(callers->first);
	}
	callers->departures = sd_bus_slot_unref(callers->departures);
	callers->bus = NULL;
}

/* Forgets who came first of those that have no calls. False: all have some. */
static bool forget_idle(struct bus_callers *callers)
{
	struct bus_caller *idle = NULL;

	for (struct bus_caller *caller = callers->first; caller; caller = caller->next)
		if (caller->calls == 0)
			idle = caller;
	if (idle)
		forget(idle);
	return idle;
}

int bus_callers_get(struct bus_callers *callers, const char *name, struct bus_caller **out)
{
	struct bus_caller *caller = name_table_find(&callers->by_name, name);
	int error;

	if (caller) {
		*out = caller;
		return 0;
	}
	if (callers->by_name.count >= callers->most && !forget_idle(callers))
		return -EUSERS;
	if (!callers->bus || strlen(name) >= sizeof(caller->name))
		return -EINVAL;
	caller = calloc(1, sizeof(*caller));
	if (!caller)
		return -ENOMEM;
	strcpy(caller->name, name);
	caller->callers = callers;
	caller->pidfd = -1;
	error = name_table_add(&callers->by_name, caller->name, caller);
	if (error < 0) {
		free(caller);
		return error;
	}
	caller->next = callers->first;
	callers->first = caller;
	error = sd_bus_call_method_async(callers->bus, &caller->question, DRIVER, DRIVER_PATH, DRIVER,
					 "GetConnectionCredentials", on_credentials, caller, "s", name);
	if (error < 0) {
		forget(caller);
		return error;
	}
	*out = caller;
	return 0;
}
