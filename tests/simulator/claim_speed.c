/*
 * How fast the simulator is, so that what a benchmark of the broker shows is the broker: survey, claim and release of
 * one device over the bare wire, on hosts of ten and of ten thousand devices.
 *
 * usage: claim_speed SIMULATOR
 */
#include "../contract/side.h"

#include "../../daemon/base/policy_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { CYCLES = 2000 };

static const char policy_text[] =
	"{ \"rules\": [ { \"name\": \"all\", \"effect\": \"allow\", \"device\": { \"id\": [\"1234:*\"] } } ] }\n";

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static void write_file(const char *path, const char *text, int devices)
{
	FILE *file = fopen(path, "we");

	if (!file)
		bail_out("%s: %s", path, strerror(errno));
	fputs(text, file);
	if (devices > 0) {
		fputs("{ \"devices\": [\n", file);
		for (int i = 0; i < devices; i++)
			fprintf(file,
				"  { \"name\": \"%04x:%02x:%02x.%x\", \"vendor_id\": \"1234\",\n"
				"    \"device_id\": \"11e8\", \"class\": \"020000\", \"group\": %d,\n"
				"    \"driver\": \"card\", \"reset_methods\": [\"flr\"] }%s\n",
				i >> 16, i >> 8 & 255, i >> 3 & 31, i & 7, i, i + 1 < devices ? "," : "");
		fputs("] }\n", file);
	}
	fclose(file);
	chmod(path, 0600);
}

static int order(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

static void cycle(struct side *side, uint64_t digest, const char *name)
{
	struct claim_device device = { .reset = RESET_REQUIRE, .restore = true };
	struct plan claim = { .count = 0 }, release = { .count = 0 };
	struct wire_enclosure enclosure = { .context = -1, .peer_fd = -1 };
	static unsigned long long claims;
	struct result result;

	snprintf(enclosure.owner.claim, sizeof(enclosure.owner.claim), "%032llx", ++claims);
	snprintf(enclosure.owner.rule, sizeof(enclosure.owner.rule), "all");

	side_survey(side, &name, 1);
	device.before = *topology_find(side->topology, name);
	if (plan_for_claim(&claim, &device, 1, &(struct delivery){ .mode = MODE_ATTACHED }) < 0 ||
	    plan_for_release(&release, &device, 1, &(struct giving_back){ .pin = false }) < 0)
		bail_out("no plan could be made");
	result = side_await_result(side, side_send_plan(side, WIRE_PLAN_CLAIM, digest, &claim, &enclosure));
	if (result.wire.outcome != WIRE_OUTCOME_DONE)
		bail_out("a claim is not done: %s", result.wire.text);
	descriptors_close(&result.fds);
	result = side_await_result(side, side_send_plan(side, WIRE_PLAN_RELEASE, digest, &release, &enclosure));
	if (result.wire.outcome != WIRE_OUTCOME_DONE)
		bail_out("a release is not done: %s", result.wire.text);
	plan_done(&claim);
	plan_done(&release);
}

static void measure(const char *simulator, const char *folder, uint64_t digest, int devices)
{
	static double took[CYCLES];
	char host[128], line[512];
	struct side side;
	double begin = now();

	snprintf(host, sizeof(host), "%s/host", folder);
	write_file(host, "", devices);
	begin = now();
	snprintf(line, sizeof(line), "%s %s", simulator, host);
	side_start(&side, line, folder);
	printf("%d devices: topology told after %.0f ms", devices, (now() - begin) / 1e3);
	begin = now();
	for (int i = 0; i < CYCLES; i++) {
		char name[DEVICE_NAME_MAX];
		int number = i * 7 % devices;
		double start = now();

		snprintf(name, sizeof(name), "%04x:%02x:%02x.%x", number >> 16, number >> 8 & 255, number >> 3 & 31,
			 number & 7);
		cycle(&side, digest, name);
		took[i] = now() - start;
	}
	qsort(took, CYCLES, sizeof(*took), order);
	printf(", survey + claim + release p50 %.0f us, p99 %.0f us, %.0f a second\n", took[CYCLES / 2],
	       took[CYCLES * 99 / 100], CYCLES / (now() - begin) * 1e6);
	side_stop(&side);
	unlink(host);
}

int main(int argc, char **argv)
{
	char path[] = P_tmpdir "/ioasidd-speed-XXXXXX", file[128];
	const char *folder = mkdtemp(path);
	struct diagnostics diagnostics = { .count = 0 };
	struct policy *policy;

	if (argc != 2 || !folder)
		return 2;
	snprintf(file, sizeof(file), "%s/policy.json", folder);
	write_file(file, policy_text, 0);
	if (policy_files_load(&folder, 1, &diagnostics, &policy) < 0)
		bail_out("the policy has errors");
	measure(argv[1], folder, policy->digest, 10);
	measure(argv[1], folder, policy->digest, 10000);
	policy_free(policy);
	diagnostics_done(&diagnostics);
	unlink(file);
	rmdir(folder);
	return 0;
}
