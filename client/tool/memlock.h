/*
 * How much memory this process may lock, which is how much of it a claimed device can reach.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Raises this process's soft limit to what was granted, as far as its hard limit permits. Returns true if it ends up
 * with all of it; *limit: the bytes that it ends up with, UINT64_MAX where there is no limit.
 */
bool memlock_raise(uint64_t granted, uint64_t *limit);
/* "64 MiB" for a number of bytes, "no limit" for UINT64_MAX. Returns out. */
const char *memlock_text(uint64_t bytes, char out[static 32]);
