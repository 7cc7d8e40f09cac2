#include "name_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint64_t fnv_bytes(uint64_t hash, const void *bytes, size_t length)
{
	const unsigned char *byte = bytes;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static uint64_t hash_of(const char *name)
{
	uint64_t hash = fnv_bytes(FNV_START, name, strlen(name));

	/* The table looks at the low bits, where FNV mixes the first bytes worst. */
	return hash ^ hash >> 32;
}

/* The slot that has the name, or the empty one where it would go. The table has at least one empty slot. */
static struct name_slot *slot_for(const struct name_table *table, const char *name, uint64_t hash)
{
	size_t mask = table->allocated - 1, i = hash & mask;

	while (table->slot[i].name && (table->slot[i].hash != hash || strcmp(table->slot[i].name, name) != 0))
		i = (i + 1) & mask;
	return &table->slot[i];
}

void *name_table_find(const struct name_table *table, const char *name)
{
	struct name_slot *slot;

	if (table->count == 0)
		return NULL;
	slot = slot_for(table, name, hash_of(name));
	return slot->name ? slot->value : NULL;
}

static int grow(struct name_table *table)
{
	struct name_table larger = { .count = table->count, .allocated = table->allocated ? table->allocated * 2 : 16 };

	larger.slot = calloc(larger.allocated, sizeof *larger.slot);
	if (!larger.slot)
		return -ENOMEM;
	for (size_t i = 0; i < table->allocated; i++)
		if (table->slot[i].name)
			*slot_for(&larger, table->slot[i].name, table->slot[i].hash) = table->slot[i];
	free(table->slot);
	*table = larger;
	return 0;
}

int name_table_add(struct name_table *table, const char *name, void *value)
{
	uint64_t hash = hash_of(name);

	/* At most three quarters full: longer runs of filled slots would make searching slow. */
	if ((table->count + 1) * 4 > table->allocated * 3 && grow(table) < 0)
		return -ENOMEM;
	*slot_for(table, name, hash) = (struct name_slot){ .name = name, .value = value, .hash = hash };
	table->count++;
	return 0;
}

bool name_table_remove(struct name_table *table, const char *name)
{
	size_t mask = table->allocated - 1, hole, i;
	struct name_slot *slot;

	if (table->count == 0)
		return false;
	slot = slot_for(table, name, hash_of(name));
	if (!slot->name)
		return false;
	/* Entries behind the hole that a search would no longer reach move up into it. */
	hole = i = (size_t)(slot - table->slot);
	for (;;) {
		size_t home;

		i = (i + 1) & mask;
		if (!table->slot[i].name)
			break;
		home = table->slot[i].hash & mask;
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			table->slot[hole] = table->slot[i];
			hole = i;
		}
	}
	table->slot[hole] = (struct name_slot){ .name = NULL };
	table->count--;
	return true;
}

void name_table_done(struct name_table *table)
{
	free(table->slot);
	*table = (struct name_table){ .slot = NULL };
}
