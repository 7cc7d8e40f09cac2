/*
 * How long something took, counted in classes: from 10 microseconds to 100 seconds. Pure.
 */
#pragma once

#include <stdint.h>

enum { HISTOGRAM_BOUNDS = 22 };

/* The upper bounds of the classes in microseconds; what is above the last is counted in none. */
extern const uint64_t histogram_bound_usec[HISTOGRAM_BOUNDS];

/* All zero has counted nothing. */
struct histogram {
	uint64_t class[HISTOGRAM_BOUNDS]; /* up to its bound, and above the one before */
	uint64_t count;
	uint64_t sum_usec;
};

void histogram_add(struct histogram *histogram, uint64_t usec);
