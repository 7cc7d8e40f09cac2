/*
 * The methods of the objects on the bus. Each row of the table holds all that has to be so before its handler runs: the
 * object, the signature, the options, and what the caller has to be allowed.
 */
#pragma once

#include "bus_call.h"
#include "bus_listing.h"

/*
 * Finds the row of a method call. NULL, with a D-Bus error's name and a sentence: there is no such object, interface or
 * method. interface: NULL where the caller names none.
 */
const struct bus_method *bus_methods_find(const struct arbiter *arbiter, const struct bus_object_name *object,
					  const char *interface, const char *member, const char **error,
					  const char **message);
/* Does what the call is about: its caller is known, and its method is set. Answers it, now or later. */
void bus_methods_run(struct bus_call *call);
