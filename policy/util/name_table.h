/*
 * A hash table from names to pointers, in constant time. Names are borrowed: each has to stay as it is as long as its
 * entry does. Never frees what it points to.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* FNV-1a, 64 bits: start with FNV_START, go on with what was returned. */
#define FNV_START UINT64_C(0xcbf29ce484222325)
uint64_t fnv_bytes(uint64_t hash, const void *bytes, size_t length);

struct name_slot {
	const char *name; /* NULL: empty */
	void *value;
	uint64_t hash;
};

/* All zero is an empty table. */
struct name_table {
	struct name_slot *slot;
	size_t count;
	size_t allocated; /* a power of two, or 0 */
};

/* The value of a name, or NULL. */
void *name_table_find(const struct name_table *table, const char *name);
/* Adds a name that must not be there yet. 0, or -ENOMEM (then nothing changed). value is not NULL. */
int name_table_add(struct name_table *table, const char *name, void *value);
/* Removes a name; false if it is not there. */
bool name_table_remove(struct name_table *table, const char *name);
/* Frees the table and leaves it empty. */
void name_table_done(struct name_table *table);
