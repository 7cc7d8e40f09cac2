/*
 * Tells the bus what becomes of the objects: InterfacesAdded, InterfacesRemoved, PropertiesChanged. Remembers which
 * objects were told of. Changes are gathered for some milliseconds and told as one, never as values that only some may
 * know; a bus that does not take them is not pressed.
 */
#pragma once

#include "../../arbiter/arbiter.h"
#include "bus_path.h"

#include <systemd/sd-bus.h>

struct bus_signals;

struct bus_signals *bus_signals_new(sd_event *event, const struct arbiter *arbiter); /* NULL: out of memory */
struct bus_signals *bus_signals_free(struct bus_signals *signals);
/* A new connection: whoever listens there reads all objects first, so what is there now counts as told. 0 or -ENOMEM.
 */
int bus_signals_up(struct bus_signals *signals, sd_bus *bus);
void bus_signals_down(struct bus_signals *signals);
void bus_signals_hear(struct bus_signals *signals, const struct news *news);
/* Nothing is told until as many releases: the objects that were told of stay as they are. */
void bus_signals_hold(struct bus_signals *signals);
void bus_signals_release(struct bus_signals *signals);
/* The objects that were told of, one after the other: *cursor is 0 to begin with. NULL ends. While held only. */
const struct bus_object_name *bus_signals_each(const struct bus_signals *signals, size_t *cursor);
