/*
 * What a decision and the reading of a policy cost: a decision beside 10 and beside 10,000 devices, under more and more
 * rules, and the load of 10,000 rules with all checks. Each line is a figure; nothing passes or fails.
 */
#include "../../policy/decide/decide.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	const double *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

/* Rules as operators write them: by user, by address, id or class, with and without globs. The last one allows all. */
static char *write_rules(unsigned from, unsigned count, bool everybody, bool first, bool last, size_t *length)
{
	/* For each rule its user and devices; then rules that everybody comes to and that only the device decides. */
	static const char *const forms[] = {
		"\"subject\": {\"user\": [%u]}, \"device\": {\"address\": [\"0000:%02x:*\"]}",
		"\"subject\": {\"group\": [%u]}, \"device\": {\"id\": [\"8086:%04x\", \"15b3:*\"], \"class\": \"02\"}",
		"\"subject\": {\"user\": [%u, 70000]}, \"device\": {\"pool\": [\"vfs\"], \"numa_node\": [%u]}",
		"\"subject\": {\"user\": [%u], \"group\": [5]}, \"device\": {\"address\": [\"0000:%02x:00.0\"]}",
		"\"device\": {\"class\": [\"02\"], \"subsystem\": [\"%04x:*\"], \"numa_node\": [%u]}",
		"\"device\": {\"address\": [\"0000:*\", \"0001:*\"], \"id\": [\"*:%04x\", \"%04x:*\"]}",
		"\"device\": {\"driver\": [\"vfio*\", \"e1*\"], \"id\": \"%04x:????\", \"numa_node\": [%u]}",
		"\"device\": {\"parent\": [\"0000:%04x*\", \"0001:%02x:*\"], \"class\": [\"02*\"]}",
	};
	char *text = malloc(300 * (size_t)count + 1000);
	size_t at = 0;

	if (!text)
		exit(EXIT_FAILURE);
	at += (size_t)sprintf(text + at, "{%s\"rules\": [\n",
			      first ? "\"pools\": {\"vfs\": [{\"id\": [\"8086:10ca\"]}]}, " : "");
	for (unsigned i = from; i < from + count; i++) {
		at += (size_t)sprintf(text + at, "%s{\"name\": \"rule %u\", \"effect\": \"%s\", ",
				      i > from ? ",\n" : "", i, i % 3 ? "allow" : "deny");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		at += (size_t)sprintf(text + at, forms[i % 4 + (everybody ? 4 : 0)], 2000 + i, i % 200);
#pragma GCC diagnostic pop
		at += (size_t)sprintf(text + at, "}");
	}
	if (last)
		at += (size_t)sprintf(text + at,
				      ",\n{\"name\": \"last\", \"effect\": \"allow\", \"subject\": {\"user\": [1000]},"
				      " \"lockout\": \"unused\", \"device\": {\"kind\": \"pci\"}}");
	at += (size_t)sprintf(text + at, "]}");
	*length = at;
	return text;
}

/* 1,000 rules a file, for a file has at most 1 MiB. */
static struct policy *load(unsigned rules, bool everybody, double *usec)
{
	enum { FILES_MAX = 10, RULES_PER_FILE = 1000 };
	struct policy_source source[FILES_MAX];
	struct diagnostics diagnostics = { .item = NULL };
	struct name_resolver names = { .context = NULL };
	struct policy *policy = NULL;
	size_t count = 0;
	double start;

	for (unsigned from = 0; from < rules; from += RULES_PER_FILE) {
		unsigned more = rules - from < RULES_PER_FILE ? rules - from : RULES_PER_FILE;
		bool last = from + more == rules;

		source[count].path = "bench.json";
		source[count].text =
			write_rules(from, last ? more - 1 : more, everybody, from == 0, last, &source[count].length);
		count++;
	}
	start = now();
	if (policy_parse(source, count, &names, &diagnostics, &policy) < 0) {
		fprintf(stderr, "%s\n", diagnostics.count ? diagnostics.item[0].message : "can't be read");
		exit(EXIT_FAILURE);
	}
	*usec = now() - start;
	diagnostics_done(&diagnostics);
	for (size_t i = 0; i < count; i++)
		free((char *)(uintptr_t)source[i].text);
	return policy;
}

static struct topology *make_topology(unsigned devices)
{
	struct topology *topology = topology_new();

	for (unsigned i = 0; topology && i < devices; i++) {
		struct device device = { .group = (int32_t)(i / 2),
					 .numa_node = 300,
					 .identity = i,
					 .parent = "0000:ff:1f.0",
					 .pci = { .class_code = 0x020000,
						  .vendor = 0x8086,
						  .device = 0x10fb,
						  .reset_methods = RESET_METHOD_FLR } };

		snprintf(device.name, sizeof device.name, "%04x:%02x:%02x.%u", i >> 16 & 0xf, i >> 8 & 0xff,
			 i >> 3 & 31, i & 7);
		if (topology_put(topology, &device) < 0)
			exit(EXIT_FAILURE);
	}
	return topology;
}

/* The median of a decision over one device and its lockout, in microseconds. */
static double decide_often(const struct policy *policy, unsigned devices)
{
	enum { ROUNDS = 2001, BATCH = 8 };
	static double usec[ROUNDS];
	struct topology *topology = make_topology(devices);
	struct uses uses = { .use = NULL };
	struct kernel_features kernel = { .iommufd = 1, .vfio_cdev = 1 };
	struct host_view host = { .topology = topology, .uses = &uses, .kernel = &kernel };
	struct subject subject = { .uid = 1000, .gid = 1000 };
	const char *device[] = { "0000:00:00.4" };
	struct request request = { .subject = &subject, .device = device, .device_count = 1, .numa_node = -1 };

	for (unsigned i = 0; i < ROUNDS; i++) {
		double start = now();

		for (unsigned k = 0; k < BATCH; k++) {
			struct decision decision;

			if (decide(policy, &host, &request, &decision) < 0 || !decision.allowed)
				exit(EXIT_FAILURE);
			decision_done(&decision);
		}
		usec[i] = (now() - start) / BATCH;
	}
	qsort(usec, ROUNDS, sizeof *usec, by_value);
	topology_free(topology);
	return usec[ROUNDS / 2];
}

int main(void)
{
	static const unsigned rules[] = { 20, 200, 400, 800, 1600 };
	double usec, few, many;

	for (int everybody = 0; everybody <= 1; everybody++) {
		printf("rules %s:\n",
		       everybody ? "for everybody, that only the device decides" : "of users and groups");
		for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
			struct policy *policy = load(rules[i], everybody, &usec);

			few = decide_often(policy, 10);
			many = decide_often(policy, 10000);
			printf("  decision, %4u rules: %6.2f us with 10 devices, %6.2f us with 10,000 (%.2f times)\n",
			       rules[i], few, many, many / few);
			policy_free(policy);
		}
		for (unsigned count = 1250; count <= 10000; count *= 2) {
			policy_free(load(count, everybody, &usec));
			printf("  load and check, %5u rules: %6.1f ms\n", count, usec / 1e3);
		}
	}
	return EXIT_SUCCESS;
}
