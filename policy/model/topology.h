/*
 * The devices of a host, found by name and by group in constant time. Holds copies; never touches the host. Group
 * numbers are used only as what the kernel says now: nothing outlives a boot under one.
 */
#pragma once

#include "device.h"

#include <stddef.h>

struct topology;

struct topology *topology_new(void); /* NULL: out of memory */
struct topology *topology_free(struct topology *topology);

/* Adds a copy of the device, or replaces the one of that name. 0, or -ENOMEM (then nothing changed). */
int topology_put(struct topology *topology, const struct device *device);
/* Removes the device of that name; false if there is none. */
bool topology_remove(struct topology *topology, const char *name);
void topology_clear(struct topology *topology);

/* The device of that name, or NULL. Valid until the next put, remove or clear. */
const struct device *topology_find(const struct topology *topology, const char *name);
size_t topology_count(const struct topology *topology);
/* How many groups they are in. */
size_t topology_group_count(const struct topology *topology);
/* The members of a group, sorted by name, at most max of them; returns how many the group has (may be more). */
size_t topology_members(const struct topology *topology, int32_t group, const struct device **members, size_t max);
/*
 * One device after the other, in no order: *cursor is 0 to begin with and moves on; NULL at the end. The topology must
 * not change meanwhile.
 */
const struct device *topology_each(const struct topology *topology, size_t *cursor);
/*
 * All devices, sorted by name, as a newly allocated array that the caller frees with free(); *count is set.
 * NULL: out of memory (an empty topology gives an array of no elements, not NULL).
 */
const struct device **topology_sorted(const struct topology *topology, size_t *count);
/* The same of the devices that have a group, sorted by its number and then by name. */
const struct device **topology_sorted_by_group(const struct topology *topology, size_t *count);
