/*
 * Reports (JSON objects of policy/report/reply_json.h and its like) as what goes over the bus: dictionaries a{sv}, with
 * the same keys and words. null is left out. Knows no method.
 */
#pragma once

#include "../../../base/descriptors.h"

#include <json-c/json.h>
#include <systemd/sd-bus.h>

/*
 * Appends an object as a{sv}. fds: values of "lease", "iommufd", "container", "fd" and "group_fd" are indices in it and
 * become descriptors, which the message has copies of; NULL: there are none. texts: keys whose lists are of texts, in
 * the object and in all that is in it, ended by NULL: that can't be seen of empty ones; may be NULL. 0 or more, or
 * -errno: -ENOMEM, too, where the object itself is not whole.
 */
int bus_variant_append(sd_bus_message *message, struct json_object *object, const struct descriptors *fds,
		       const char *const *texts);
