/*
 * Devices and uses as JSON, with the names of the public interface's types Device and Use: read strictly, written
 * whole. A device has one key more, "drivers": host drivers that take it when it is probed, the first first; without it
 * those are the driver that is bound, if that is no VFIO driver.
 */
#pragma once

#include "fields.h"
#include "machine.h"

/* Reads a device. 0 with *out filled (free it with description_done()), -ENOMEM, or -EINVAL with *problem filled. */
int device_from_json(const struct json_value *value, struct device_description *out, struct json_problem *problem);
/* Reads a use. Its device need not be there. 0, or -EINVAL with *problem filled. */
int use_from_json(const struct json_value *value, struct use *out, struct json_problem *problem);

/* The caller owns the objects; NULL: out of memory. */
struct json_object *device_to_json(const struct simulated_device *device);
struct json_object *use_to_json(const struct use *use);
