/*
 * GetManagedObjects: all objects with their properties, some in each turn of the loop, one listing after the other.
 * Nothing is signalled meanwhile, so that whoever reads it and then listens misses nothing.
 */
#pragma once

#include "bus_call.h"
#include "bus_signals.h"

struct bus_listings;

struct bus_listings *bus_listings_new(struct bus_books *books, struct bus_signals *signals); /* NULL: out of memory */
/* No call may wait for a listing any more. */
struct bus_listings *bus_listings_free(struct bus_listings *listings);
/* Answers the call, later. */
void bus_listings_start(struct bus_listings *listings, struct bus_call *call);
