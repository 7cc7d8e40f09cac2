/*
 * Devices and uses as JSON, with the names of the public interface's types Device and Use: read strictly, written
 * whole. A device has two keys more: "drivers", the host drivers that take it when it is probed, the first first
 * (without it those are the driver that is bound, if that is no VFIO driver), and "driver_fixed".
 */
#pragma once

#include "../util/json_text.h"
#include "../model/use.h"

enum { VFIO_NODES_MAX = 65536 }; /* more than any host has, and few enough to have a bit each */

/* What a snapshot says of a device. */
struct device_description {
	struct device device;            /* its identity is not looked at */
	char (*driver)[DRIVER_NAME_MAX]; /* host drivers that take it when it is probed, the first first; malloc'ed */
	size_t driver_count;
};
void description_done(struct device_description *description);

/*
 * Reads a device of a snapshot of that version. 0 with *out filled (free it with description_done()), -ENOMEM, or
 * -EINVAL with *problem filled.
 */
int device_from_json(const struct json_value *value, int version, struct device_description *out,
		     struct json_problem *problem);
/* Reads a use. Its device need not be there. 0, or -EINVAL with *problem filled. */
int use_from_json(const struct json_value *value, struct use *out, struct json_problem *problem);

/* The caller owns the objects. They are whole as json_write.h says. */
struct json_object *device_to_json(const struct device_description *device);
struct json_object *use_to_json(const struct use *use);

/* The number in a node's name "vfio0", or -EINVAL. */
int vfio_node_number(const char *node);
