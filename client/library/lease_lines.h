/*
 * What the daemon says over a claim's lease: lines of JSON. Reads them without ever waiting; knows no claim.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LEASE_LINE_MAX = 4096, LEASE_REASON_MAX = 512 };

/* What was read so far. All zero is nothing. */
struct lease_lines {
	char text[LEASE_LINE_MAX];
	size_t used;
	bool skips;                    /* a line that is too long is thrown away up to its end */
	bool asked;                    /* to give the claim back */
	int64_t grace;                 /* microseconds that there were for it */
	char reason[LEASE_REASON_MAX]; /* "" none was given */
};

/* Reads what has come. 0; -ENODATA: the other end is closed; -EAGAIN never. Other -errno of recv(). */
int lease_lines_read(struct lease_lines *lines, int lease);
