/*
 * Huge pages: how many are free, and which programs want them. Reads sysfs below a folder that stands for /.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct huge_pages {
	uint64_t bytes; /* all that are set aside, of every size */
	uint64_t free;  /* of those */
};

/* root: FD of the folder that stands for /. A kernel without huge pages has none. */
struct huge_pages huge_pages_read(int root);
/*
 * True if a command is a program that wants huge pages unless it is told otherwise, as far as its name tells: DPDK's
 * (dpdk-*, testpmd), SPDK's (spdk*), vpp; and is not told otherwise (--no-huge).
 */
bool huge_pages_wanted(char *const *command);
