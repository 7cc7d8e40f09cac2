#include "topology.h"

#include "../util/name_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A group that has members; it goes with its last one. */
struct group {
	int32_t number;
	struct group *next;           /* topology::bucket */
	const struct device **member; /* sorted by name */
	size_t count, allocated;
};

struct topology {
	struct name_table devices;
	struct group **bucket;
	size_t bucket_count; /* a power of two, or 0 */
	size_t group_count;
};

struct topology *topology_new(void)
{
	return calloc(1, sizeof(struct topology));
}

struct topology *topology_free(struct topology *topology)
{
	if (topology) {
		topology_clear(topology);
		free(topology);
	}
	return NULL;
}

static size_t bucket_of(int32_t number, size_t bucket_count)
{
	return (uint32_t)number * UINT32_C(2654435761) >> 7 & (bucket_count - 1);
}

static struct group *find_group(const struct topology *topology, int32_t number)
{
	struct group *group = NULL;

	if (topology->bucket_count > 0)
		group = topology->bucket[bucket_of(number, topology->bucket_count)];
	while (group && group->number != number)
		group = group->next;
	return group;
}

static int grow_buckets(struct topology *topology)
{
	size_t count = topology->bucket_count ? topology->bucket_count * 2 : 16;
	struct group **larger = calloc(count, sizeof *larger);

	if (!larger)
		return -ENOMEM;
	for (size_t i = 0; i < topology->bucket_count; i++) {
		while (topology->bucket[i]) {
			struct group *group = topology->bucket[i], **bucket = &larger[bucket_of(group->number, count)];

			topology->bucket[i] = group->next;
			group->next = *bucket;
			*bucket = group;
		}
	}
	free(topology->bucket);
	topology->bucket = larger;
	topology->bucket_count = count;
	return 0;
}

/* The index of the first member whose name is not before this one. */
static size_t member_index(const struct group *group, const char *name)
{
	size_t low = 0, high = group->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(group->member[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void drop_group_if_empty(struct topology *topology, struct group *group)
{
	struct group **link;

	if (group->count > 0)
		return;
	link = &topology->bucket[bucket_of(group->number, topology->bucket_count)];
	while (*link != group)
		link = &(*link)->next;
	*link = group->next;
	free(group->member);
	free(group);
	topology->group_count--;
}

/* The group of that number with room for one more member, made where there is none. NULL: out of memory. */
static struct group *group_with_room(struct topology *topology, int32_t number)
{
	struct group *group = find_group(topology, number), **bucket;
	const struct device **larger;
	size_t allocated;

	if (!group) {
		if (topology->group_count >= topology->bucket_count && grow_buckets(topology) < 0)
			return NULL;
		group = calloc(1, sizeof *group);
		if (!group)
			return NULL;
		bucket = &topology->bucket[bucket_of(number, topology->bucket_count)];
		group->number = number;
		group->next = *bucket;
		*bucket = group;
		topology->group_count++;
	}
	if (group->count < group->allocated)
		return group;
	allocated = group->allocated ? group->allocated * 2 : 2;
	larger = reallocarray(group->member, allocated, sizeof *larger);
	if (!larger) {
		drop_group_if_empty(topology, group);
		return NULL;
	}
	group->member = larger;
	group->allocated = allocated;
	return group;
}

static void join(struct group *group, const struct device *device)
{
	size_t index = member_index(group, device->name);

	memmove(&group->member[index + 1], &group->member[index], (group->count - index) * sizeof *group->member);
	group->member[index] = device;
	group->count++;
}

static void leave(struct topology *topology, const struct device *device)
{
	struct group *group;
	size_t index;

	if (device->group < 0)
		return;
	group = find_group(topology, device->group);
	index = member_index(group, device->name);
	group->count--;
	memmove(&group->member[index], &group->member[index + 1], (group->count - index) * sizeof *group->member);
	drop_group_if_empty(topology, group);
}

int topology_put(struct topology *topology, const struct device *device)
{
	struct device *known = name_table_find(&topology->devices, device->name);
	struct group *group = NULL;
	struct device *added;

	/* Everything that can fail comes first; from then on nothing does. */
	if (device->group >= 0 && (!known || known->group != device->group)) {
		group = group_with_room(topology, device->group);
		if (!group)
			return -ENOMEM;
	}
	if (known) {
		if (known->group != device->group) {
			leave(topology, known);
			if (group)
				join(group, known);
		}
		*known = *device;
		return 0;
	}
	added = malloc(sizeof *added);
	if (added)
		*added = *device;
	if (!added || name_table_add(&topology->devices, added->name, added) < 0) {
		free(added);
		if (group)
			drop_group_if_empty(topology, group);
		return -ENOMEM;
	}
	if (group)
		join(group, added);
	return 0;
}

bool topology_remove(struct topology *topology, const char *name)
{
	struct device *device = name_table_find(&topology->devices, name);

	if (!device)
		return false;
	leave(topology, device);
	name_table_remove(&topology->devices, device->name);
	free(device);
	return true;
}

void topology_clear(struct topology *topology)
{
	for (size_t i = 0; i < topology->devices.allocated; i++)
		free(topology->devices.slot[i].value);
	name_table_done(&topology->devices);
	for (size_t i = 0; i < topology->bucket_count; i++) {
		while (topology->bucket[i]) {
			struct group *group = topology->bucket[i];

			topology->bucket[i] = group->next;
			free(group->member);
			free(group);
		}
	}
	free(topology->bucket);
	*topology = (struct topology){ .bucket = NULL };
}

const struct device *topology_find(const struct topology *topology, const char *name)
{
	return name_table_find(&topology->devices, name);
}

size_t topology_count(const struct topology *topology)
{
	return topology->devices.count;
}

size_t topology_group_count(const struct topology *topology)
{
	return topology->group_count;
}

size_t topology_members(const struct topology *topology, int32_t group, const struct device **members, size_t max)
{
	const struct group *found = group >= 0 ? find_group(topology, group) : NULL;

	if (!found)
		return 0;
	for (size_t i = 0; i < found->count && i < max; i++)
		members[i] = found->member[i];
	return found->count;
}

const struct device *topology_each(const struct topology *topology, size_t *cursor)
{
	while (*cursor < topology->devices.allocated) {
		const struct name_slot *slot = &topology->devices.slot[(*cursor)++];

		if (slot->name)
			return slot->value;
	}
	return NULL;
}

static int device_by_name(const void *a, const void *b)
{
	const struct device *const *left = a, *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

const struct device **topology_sorted(const struct topology *topology, size_t *count)
{
	const struct device **sorted = malloc((topology->devices.count + 1) * sizeof *sorted);
	size_t filled = 0;

	if (!sorted)
		return NULL;
	for (size_t i = 0; i < topology->devices.allocated; i++)
		if (topology->devices.slot[i].name)
			sorted[filled++] = topology->devices.slot[i].value;
	qsort(sorted, filled, sizeof *sorted, device_by_name);
	*count = filled;
	return sorted;
}

static int by_group(const void *a, const void *b)
{
	const struct device *first = *(const struct device *const *)a, *second = *(const struct device *const *)b;

	if (first->group != second->group)
		return first->group < second->group ? -1 : 1;
	return strcmp(first->name, second->name);
}

const struct device **topology_sorted_by_group(const struct topology *topology, size_t *count)
{
	size_t all = 0, kept = 0;
	const struct device **device = topology_sorted(topology, &all);

	for (size_t i = 0; device && i < all; i++)
		if (device[i]->group >= 0)
			device[kept++] = device[i];
	if (device && kept > 0)
		qsort(device, kept, sizeof(*device), by_group);
	*count = kept;
	return device;
}
