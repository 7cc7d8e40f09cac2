/*
 * Properties of the objects on the bus: the table of them, and their values, which are those of the reports that the
 * socket gives. What only owners and operators are told is neutral for everybody else. Sends nothing.
 */
#pragma once

#include "../../arbiter/arbiter.h"
#include "bus_path.h"

#include <systemd/sd-bus.h>

/* True if there is such an object now. */
bool bus_object_exists(const struct arbiter *arbiter, const struct bus_object_name *object);
/* Appends all properties of an object that exists, as a{sv}. reader: NULL for what may be told to anybody. */
int bus_property_append_all(sd_bus_message *message, const struct arbiter *arbiter,
			    const struct bus_object_name *object, const struct requester *reader);
/* Appends one property, as v. 1; 0: no such property; -errno. */
int bus_property_append(sd_bus_message *message, const struct arbiter *arbiter, const struct bus_object_name *object,
			const char *property, const struct requester *reader);
/* True if objects of this kind have such a property. */
bool bus_property_exists(enum bus_node node, const char *property);
/* Appends what PropertiesChanged says after the interface's name: a{sv} of what can change, as it is now for anybody,
 * and as. */
int bus_property_append_changes(sd_bus_message *message, const struct arbiter *arbiter,
				const struct bus_object_name *object);
