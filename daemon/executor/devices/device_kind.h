/*
 * What the executor does with a device of each kind: where sysfs has it, how it is read, and what is done with it by
 * files of its own. One row a kind, found by the device's name; nothing else in the executor tells kinds apart.
 */
#pragma once

#include "../../../policy/model/device.h"
#include "../os/sysfs.h"
#include "../os/timed_call.h"

/* The device was read, but for driver_override: somebody keeps the device's lock. It shows as driver_fixed. */
#define DEVICE_LOCKED 1

/* The buses that devices of these kinds are on, from 0: their folders in /sys/bus, and the subsystem of their events.
 * NULL: no more. */
const char *device_bus(unsigned number);
/* The bus of the device of that name; the name has to be valid. */
const char *device_bus_of(const char *name);

/*
 * Reads the device. timed_call limits the waiting for a device whose lock is taken; NULL: waits for ever. 0 or
 * DEVICE_LOCKED, with *out filled; -ENOENT: there is no such device; -EBADMSG: its attributes make no sense (logged,
 * once); other -errno of reading. *out is untouched on failure.
 */
int device_read(const struct host *host, const char *name, struct timed_call *timed_call, struct device *out);
/* The same without driver_override, which shows as "": so it waits for nobody. Errors as device_read(). */
int device_summary(const struct host *host, const char *name, struct device *out);
/* Opens a device's folder in sysfs. It stays that device's, even when another takes its place: an FD or -errno. */
int device_open(const struct host *host, const char *name);

/* Of the device of that name, whose folder this is: */
/* True if it has gone. */
bool device_is_gone(const char *name, int folder);
/* Its identity. 0, -ENOENT, -EBADMSG, or other -errno. */
int device_identity(const char *name, int folder, uint64_t *identity);
/* Whether its bus mastering is on, and its reset: 0, or -errno with one sentence in why. */
int device_read_bus_master(const char *name, int folder, bool *on, char why[static TEXT_MAX]);
int device_reset(const char *name, int folder, char why[static TEXT_MAX]);
