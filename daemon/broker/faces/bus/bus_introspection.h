/*
 * What the objects on the bus say of themselves: the published interface file, cut into what each object has.
 */
#pragma once

#include "../../arbiter/arbiter.h"
#include "bus_path.h"

/* Made from include/org.ioasid1.xml when the program is built. Ends with a name that is NULL. */
struct bus_interface_text {
	const char *name;
	const char *text;
};
extern const struct bus_interface_text bus_interface_texts[];

/* The introspection data of an object or folder that exists; the caller frees it. NULL: out of memory. */
char *bus_introspection_text(const struct arbiter *arbiter, const struct bus_object_name *object);
