#include "decision_fixture.h"

#include <string.h>

void host_init_two_groups(struct host *host)
{
	struct device bridge = device_of(BRIDGE, 5, "pcieport"), card = device_of(CARD, 5, "");
	struct device network = device_of(NETWORK, 5, "e1000"), disk = device_of(DISK, 6, "nvme");

	host_init(host);
	bridge.pci.bridge = 1;
	bridge.pci.class_code = 0x060400;
	card.pci.vendor = 0x1234;
	card.pci.device = 0x11e8;
	card.pci.class_code = 0x00ff00;
	disk.pci.class_code = 0x010802;
	host_add(host, &bridge);
	host_add(host, &card);
	host_add(host, &network);
	host_add(host, &disk);
}

struct device *host_device(struct host *host, const char *name)
{
	const struct device *device = topology_find(host->topology, name);

	assert_non_null(device);
	return (struct device *)(uintptr_t)device;
}

void ask(struct host *host, const struct policy *policy, const struct question *question, struct decision *out)
{
	struct subject subject = subject_of(question->uid);
	struct request request = {
		.subject = &subject,
		.device = question->device,
		.device_count = question->count,
		.mode = question->mode,
		.claim = question->claim,
		.numa_node = question->numa_node - 1,
		.candidate = question->candidate,
		.candidate_count = question->candidate_count,
	};

	while (question->count == 0 && question->device[request.device_count])
		request.device_count++;
	assert_int_equal(decide(policy, &host->view, &request, out), 0);
	assert_int_equal(out->allowed, out->blocker_count == 0);
	assert_int_equal(out->allowed, out->status == EXIT_DONE);
	assert_int_equal(out->allowed, out->plan.count > 0);
	for (size_t i = 0; i < out->blocker_count; i++) {
		/* A refusal is never a bare errno: each says what blocks and what would resolve it. */
		assert_true(strlen(out->blocker[i].message) > 15);
		assert_true(strlen(out->blocker[i].remedy) > 10);
		if (out->blocker[i].device[0])
			assert_contains(out->blocker[i].message, out->blocker[i].device);
		if (out->blocker[i].member[0])
			assert_contains(out->blocker[i].message, out->blocker[i].member);
	}
}

void ask_under(struct host *host, const char *text, const struct question *question, struct decision *out)
{
	struct policy *policy = policy_of(text);

	ask(host, policy, question, out);
	policy_free(policy);
}

size_t count_blockers(const struct decision *decision, enum blocker_kind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < decision->blocker_count; i++)
		count += decision->blocker[i].kind == kind;
	return count;
}

const struct blocker *find_blocker(const struct decision *decision, enum blocker_kind kind, const char *device,
				   const char *member)
{
	const struct blocker *found = NULL;

	for (size_t i = 0; i < decision->blocker_count; i++) {
		const struct blocker *blocker = &decision->blocker[i];

		if (blocker->kind != kind || (device && strcmp(blocker->device, device) != 0) ||
		    (member && strcmp(blocker->member, member) != 0))
			continue;
		if (found)
			fail_msg("%s twice", blocker_kind_to_string(kind));
		found = blocker;
	}
	if (!found) {
		for (size_t i = 0; i < decision->blocker_count; i++)
			print_error("%s: %s\n", blocker_kind_to_string(decision->blocker[i].kind),
				    decision->blocker[i].message);
		fail_msg("no blocker %s", blocker_kind_to_string(kind));
	}
	return found;
}
