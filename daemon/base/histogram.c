#include "histogram.h"

const uint64_t histogram_bound_usec[HISTOGRAM_BOUNDS] = {
	10,    25,     50,     100,    250,     500,     1000,    2500,     5000,     10000,    25000,
	50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 25000000, 50000000, 100000000,
};

void histogram_add(struct histogram *histogram, uint64_t usec)
{
	histogram->count++;
	histogram->sum_usec += usec;
	for (int i = 0; i < HISTOGRAM_BOUNDS; i++)
		if (usec <= histogram_bound_usec[i]) {
			histogram->class[i]++;
			return;
		}
}
