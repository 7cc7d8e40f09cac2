/*
 * How much memory this process may lock, which is how much of it a claimed device can reach.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What the kernel gives every process (since 5.16; 64 KiB before): too little for a virtual machine or for DPDK. */
#define MEMLOCK_DEFAULT (UINT64_C(8) << 20)

/* Bytes; UINT64_MAX if there is no limit. */
struct memlock {
	uint64_t soft;
	uint64_t hard;
	bool free; /* CAP_IPC_LOCK: no limit holds for this process */
};

/* This process's limits. */
struct memlock memlock_read(void);
/*
 * Raises this process's soft limit to what was granted, as far as its hard limit permits. Returns true if it ends up
 * with all of it; *limit: the bytes that it ends up with, UINT64_MAX if there is no limit.
 */
bool memlock_raise(uint64_t granted, uint64_t *limit);
/* "64 MiB" for a number of bytes, "no limit" for UINT64_MAX. Returns out. */
const char *memlock_text(uint64_t bytes, char out[static 32]);
