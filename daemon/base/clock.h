/*
 * The time in one number. Nothing else.
 */
#pragma once

#include <stdint.h>
#include <time.h>

/* Microseconds of CLOCK_MONOTONIC, CLOCK_REALTIME, … */
uint64_t clock_usec(clockid_t clock);
/* Milliseconds of CLOCK_MONOTONIC. */
uint64_t clock_milliseconds(void);
