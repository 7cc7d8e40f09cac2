#include "clock.h"

uint64_t clock_usec(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

uint64_t clock_milliseconds(void)
{
	return clock_usec(CLOCK_MONOTONIC) / 1000;
}
