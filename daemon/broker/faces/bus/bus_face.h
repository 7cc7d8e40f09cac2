/*
 * The face on the system bus: org.ioasid1 at /org/ioasid1, while there is a bus. Takes method calls to their handlers,
 * and the news to the bus. Nothing that becomes of the bus ends a claim.
 */
#pragma once

#include "../../arbiter/arbiter.h"
#include "../../system/bus_connection.h"

struct bus_face;

/* The arbiter must be ready. 0, -ENOMEM, -errno. */
int bus_face_new(sd_event *event, struct bus_connection *link, struct arbiter *arbiter, struct bus_face **out);
/* Before the link and the arbiter. Takes NULL, returns NULL. */
struct bus_face *bus_face_free(struct bus_face *face);
