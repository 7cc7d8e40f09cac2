/*
 * A client of ioasidd that holds a claim for each device and has all of them do DMA without a break, whatever becomes
 * of the daemon meanwhile. Told on standard input, answers each line with one:
 *
 *   report    "rounds N leases-over M": rounds of DMA on every device, verified, since the last report; leases that
 * ended rounds    the same, after at least one more whole round resume    "resumed N of M": claims that ioasidd gave
 * back to it, by their ids release   "released N": every claim ended, everything put back; it ends
 *
 * usage: endure ADDRESS...       first prints "holding N"
 */
#include "edu.h"
#include "rig.h"

#include "../../../../include/ioasid.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CLAIMS_MAX = 64 };

struct claim_runtime {
	struct ioasid_claim *claim;
	struct edu edu;
	unsigned char *memory;
};

static struct claim_runtime holdings[CLAIMS_MAX];
static unsigned count, rounds;

static void take(struct ioasid *connection, const char *device)
{
	struct claim_runtime *runtime = &holdings[count];
	struct edu_space space;

	if (ioasid_claim(connection, &device, 1, NULL, &runtime->claim) < 0)
		die("%s", ioasid_error_message(connection));
	space.is_container = ioasid_claim_iommufd(runtime->claim) < 0;
	space.fd = space.is_container ? ioasid_claim_container(runtime->claim) : ioasid_claim_iommufd(runtime->claim);
	space.ioas = ioasid_claim_ioas_id(runtime->claim);
	runtime->memory = mmap(NULL, EDU_MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (runtime->memory == MAP_FAILED)
		die_errno("mmap");
	edu_open(&runtime->edu, ioasid_claim_device_fd(runtime->claim, device));
	edu_map(&space, runtime->memory);
	count++;
}

/* All devices at once: each takes its time. */
static void do_round(void)
{
	for (unsigned i = 0; i < count; i++)
		edu_prepare(holdings[i].memory, rounds + i);
	for (unsigned i = 0; i < count; i++)
		edu_start_reading(&holdings[i].edu);
	for (unsigned i = 0; i < count; i++)
		edu_wait(&holdings[i].edu);
	for (unsigned i = 0; i < count; i++)
		edu_start_writing(&holdings[i].edu);
	for (unsigned i = 0; i < count; i++)
		edu_wait(&holdings[i].edu);
	for (unsigned i = 0; i < count; i++)
		edu_verify(holdings[i].memory);
	rounds++;
}

static unsigned leases_over(void)
{
	unsigned over = 0;

	for (unsigned i = 0; i < count; i++) {
		struct pollfd lease = { .fd = ioasid_claim_lease_fd(holdings[i].claim) };

		over += poll(&lease, 1, 0) > 0 && (lease.revents & POLLHUP);
	}
	return over;
}

static void report(void)
{
	printf("rounds %u leases-over %u\n", rounds, leases_over());
	rounds = 0;
}

static void resume(struct ioasid *connection)
{
	unsigned resumed = 0;

	for (unsigned i = 0; i < count; i++)
		if (ioasid_claim_resume(connection, holdings[i].claim) == 0)
			resumed++;
		else
			fprintf(stderr, "endure: %s\n", ioasid_error_message(connection));
	printf("resumed %u of %u\n", resumed, count);
}

static void release(struct ioasid *connection)
{
	for (unsigned i = 0; i < count; i++) {
		close(holdings[i].edu.irq);
		if (ioasid_claim_release(connection, holdings[i].claim) < 0)
			die("%s", ioasid_error_message(connection));
	}
	printf("released %u\n", count);
}

int main(int argc, char **argv)
{
	struct ioasid *connection;
	char line[64];

	if (argc < 2 || argc > CLAIMS_MAX)
		die("usage: endure ADDRESS...");
	if (ioasid_connect(NULL, &connection) < 0)
		die("%s", ioasid_error_message(connection));
	setvbuf(stdout, NULL, _IOLBF, 0);
	setvbuf(stdin, NULL, _IONBF, 0);
	for (int i = 1; i < argc; i++)
		take(connection, argv[i]);
	printf("holding %u\n", count);
	for (;;) {
		struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

		do_round();
		if (poll(&input, 1, 0) <= 0)
			continue;
		if (!fgets(line, sizeof line, stdin))
			die("standard input has ended in the middle of it");
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, "rounds") == 0)
			do_round();
		if (strcmp(line, "report") == 0 || strcmp(line, "rounds") == 0)
			report();
		else if (strcmp(line, "resume") == 0)
			resume(connection);
		else if (strcmp(line, "release") == 0)
			break;
		else
			die("what is '%s'?", line);
	}
	release(connection);
	ioasid_disconnect(connection);
	return 0;
}
