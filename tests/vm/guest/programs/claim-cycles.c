/*
 * Claims a device through ioasidd and releases it, N times, and prints the times in the form of root-claim --cycles:
 * the two are compared.
 *
 * usage: claim-cycles N ADDRESS
 */
#include "rig.h"

#include "../../../../include/ioasid.h"

#include <stdio.h>
#include <stdlib.h>

enum { CYCLES_MAX = 100000 };

static int by_time(const void *a, const void *b)
{
	uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;

	return (first > second) - (first < second);
}

static void print_times(const char *what, uint64_t *times, unsigned n)
{
	qsort(times, n, sizeof *times, by_time);
	printf("%-16s n %u  p50 %.2f ms  p90 %.2f ms  min %.2f ms  max %.2f ms\n", what, n, (double)times[n / 2] / 1000,
	       (double)times[n * 9 / 10] / 1000, (double)times[0] / 1000, (double)times[n - 1] / 1000);
}

int main(int argc, char **argv)
{
	unsigned cycles = argc == 3 ? (unsigned)number_of("N", argv[1], CYCLES_MAX) : 0;
	uint64_t *claims = calloc(cycles + 1, sizeof *claims);
	uint64_t *releases = calloc(cycles + 1, sizeof *releases);
	uint64_t *both = calloc(cycles + 1, sizeof *both);
	struct ioasid *connection;

	if (cycles == 0 || !claims || !releases || !both)
		die("usage: claim-cycles N ADDRESS");
	if (ioasid_connect(NULL, &connection) < 0)
		die("%s", ioasid_error_message(connection));
	for (unsigned i = 0; i < cycles; i++) {
		const char *device = argv[2];
		struct ioasid_claim *claim;
		uint64_t begin = now_us();

		if (ioasid_claim(connection, &device, 1, NULL, &claim) < 0)
			die("%s", ioasid_error_message(connection));
		claims[i] = now_us() - begin;
		if (ioasid_claim_release(connection, claim) < 0)
			die("%s", ioasid_error_message(connection));
		both[i] = now_us() - begin;
		releases[i] = both[i] - claims[i];
	}
	print_times("claim", claims, cycles);
	print_times("release", releases, cycles);
	print_times("claim+release", both, cycles);
	ioasid_disconnect(connection);
	free(claims);
	free(releases);
	free(both);
	return 0;
}
