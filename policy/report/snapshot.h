/*
 * A host as a text: {"version": 2, "kernel": {…}, "boot_id": "…", "devices": [Device…], "uses": [Use…]},
 * JSON with comments. Version 1, in which a device has an "address" in place of a "name", is read, too; a text without
 * a version is of version 1 if its first device has an "address". `ioasidctl snapshot` writes it, the simulator boots
 * from it, and plans are made of it where no daemon is. Strict: a text with an error is refused whole, with the place
 * of the error. Reads no file.
 */
#pragma once

#include "../model/kernel_features.h"
#include "../util/name_table.h"
#include "snapshot_json.h"
#include "../model/topology.h"

enum {
	SNAPSHOT_VERSION = 2,              /* is written; all from 1 on are read */
	SNAPSHOT_TEXT_MAX = JSON_TEXT_MAX, /* bytes */
	SNAPSHOT_DEVICES_MAX = 65536,
	SNAPSHOT_USES_MAX = 262144,
};

struct snapshot {
	struct kernel_features kernel;
	bool has_vfio_pci;                 /* the kernel has the driver vfio-pci */
	char boot_id[40];                  /* "" where the text has none */
	struct device_description *device; /* in the order of the text */
	size_t count, allocated;
	struct uses uses; /* as the text has them: bound drivers and virtual functions are uses without being said */
};

/*
 * Reads a snapshot. What is left out of "kernel" is as Linux 6.12 has it. 0 with *out filled (free it with
 * snapshot_done()), -ENOMEM, or -EINVAL with *problem filled.
 */
int snapshot_read(const char *text, size_t length, struct snapshot *out, struct json_problem *problem);
void snapshot_done(struct snapshot *snapshot);

/* Appends what is a use without being said: that a driver is bound, and that there are virtual functions. 0, -ENOMEM.
 */
int snapshot_own_uses(const struct device *device, struct uses *uses);
/* The uses of a device: its own, and those that the snapshot has of it; appended. 0, -ENOMEM. */
int snapshot_uses_of(const struct snapshot *snapshot, const struct device *device, struct uses *uses);
/* Its devices as a topology, which the caller frees. NULL: out of memory. */
struct topology *snapshot_topology(const struct snapshot *snapshot);

/* The snapshot as JSON; the caller owns the object. NULL: out of memory. */
struct json_object *snapshot_to_json(const struct snapshot *snapshot);
/* Its part "kernel", for those who keep their devices elsewhere; whole as json_write.h says. */
struct json_object *snapshot_kernel_to_json(const struct kernel_features *kernel, bool has_vfio_pci);

/*
 * What a device that is to be added refers to has to be there: parent and physical function are those of its names that
 * the caller found, or NULL. 0, or -EINVAL with *problem filled, at the place of the device's value.
 */
int snapshot_check_references(const struct json_value *value, const struct device *device, const struct device *parent,
			      const struct device *physical_function, struct json_problem *problem);
/* "there is no such device", at the value of that key. Returns -EINVAL. */
int snapshot_refuse_missing(const struct json_value *value, const char *key, struct json_problem *problem);
