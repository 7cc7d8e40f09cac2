/*
 * The executor's check of a plan, which has to hold against a broker that was taken over: each way in which a plan can
 * go beyond the policy, one by one; then, at random, that a plan is covered only if the policy lets somebody have it.
 */
#include "decision_fixture.h"

#include "../../policy/check/plan_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNUSED ", \"lockout\": \"unused\", \"modes\": [\"attached\", \"open\", \"node\"]"

/* What a broker sends: the devices that it takes and pins, as they are in the host now. */
struct sent {
	const char *taken[4], *pinned[4];
	enum delivery_mode mode;
	bool grows;
	uint32_t ioas_id;
	uint64_t memlock;
	uid_t uid;
	int32_t had_group; /* without iommufd, that the client has; 0: none */
};

static struct plan plan_of(struct host *host, const struct sent *sent)
{
	struct claim_device device[8];
	struct plan plan = { .step = NULL };
	size_t count = 0;

	for (size_t i = 0; i < 4 && sent->taken[i]; i++)
		device[count++] = (struct claim_device){ .before = *host_device(host, sent->taken[i]) };
	for (size_t i = 0; i < 4 && sent->pinned[i]; i++)
		device[count++] =
			(struct claim_device){ .before = *host_device(host, sent->pinned[i]), .lockout = true };
	const struct delivery delivery = {
		.mode = sent->mode,
		.interface = (enum vfio_interface)kernel_interface(&host->kernel),
		.groups = host->kernel.vfio_group,
		.uid = sent->uid,
		.grows = sent->grows,
		.ioas_id = sent->ioas_id,
		.memlock = sent->memlock,
		.group = { sent->had_group },
		.group_count = sent->had_group > 0,
	};

	assert_int_equal(plan_for_claim(&plan, device, count, &delivery), 0);
	return plan;
}

/* True if the rule covers the plan for this subject. */
static bool covers(const struct policy *policy, const struct host_view *view, const struct plan *plan, const char *rule,
		   const struct subject *subject, char why[static TEXT_MAX])
{
	struct plan_owner owner = { .subject = *subject };

	snprintf(owner.rule, sizeof owner.rule, "%s", rule);
	return plan_is_covered(policy, view, plan, &owner, why);
}

/*
 * Checks a plan for every subject that the policies speak of, by every rule. message: a part of why one of them is
 * refused, where all are; NULL: somebody is given it.
 */
static void check(struct host *host, const char *text, const struct plan *plan, const char *message)
{
	static const struct subject subjects[] = { { .uid = 1000, .gid = 100 },
						   { .uid = 1001, .gid = 100 },
						   { .uid = 1001, .gid = 36 } };
	struct policy *policy = policy_of(text);
	bool covered = false, explained = false;
	char why[TEXT_MAX] = "untouched";

	for (size_t i = 0; i < COUNT(subjects); i++) {
		covered = covered || covers(policy, &host->view, plan, "no such rule", &subjects[i], why);
		explained = explained || (message && strstr(why, message));
		for (size_t k = 0; k < policy->rule_count; k++) {
			covered = covered || covers(policy, &host->view, plan, policy->rule[k].name, &subjects[i], why);
			explained = explained || (message && strstr(why, message));
		}
	}
	policy_free(policy);
	if (covered && message)
		fail_msg("a plan is taken that should be refused: %s", message);
	if (!covered && !message)
		fail_msg("a plan is refused: %s", why);
	if (message && !explained)
		fail_msg("a plan is refused, but not for \"%s\": %s", message, why);
}

static void check_sent(struct host *host, const char *text, const struct sent *sent, const char *message)
{
	struct plan plan = plan_of(host, sent);

	check(host, text, &plan, message);
	plan_done(&plan);
}

static void test_covered(void **state)
{
	static const struct sent sent[] = {
		{ .taken = { DISK } },
		{ .taken = { DISK }, .mode = MODE_OPEN },
		{ .taken = { CARD }, .pinned = { NETWORK } },
		{ .taken = { CARD, NETWORK, DISK } },
		{ .taken = { CARD, DISK }, .pinned = { NETWORK }, .memlock = 1 << 20 },
		{ .taken = { DISK }, .memlock = 4096 },
		{ .taken = { DISK }, .mode = MODE_NODE, .uid = 1000 },
		{ .taken = { CARD, DISK }, .pinned = { NETWORK }, .mode = MODE_NODE, .uid = 1000, .memlock = 4096 },
	};
	static const struct sent grows = { .taken = { DISK }, .grows = true, .ioas_id = 5 };
	static const char policy[] = RULE_FOR_ALICE(UNUSED ", \"limits\": {\"memlock\": \"1M\", \"devices\": 3}");
	struct host host;

	host_init_two_groups(&host);
	for (size_t i = 0; i < COUNT(sent); i++)
		check_sent(&host, policy, &sent[i], NULL);
	check_sent(&host, policy, &grows, NULL);
	/* With groups beside iommufd, too: nodes are then those of both. */
	host.kernel.vfio_group = 1;
	for (size_t i = 0; i < COUNT(sent); i++)
		check_sent(&host, policy, &sent[i], NULL);
	host.kernel.iommufd = 0;
	for (size_t i = 0; i < COUNT(sent); i++)
		if (sent[i].mode != MODE_OPEN)
			check_sent(&host, policy, &sent[i], NULL);
	host_done(&host);
}

/* A plan for another kernel than this one: whatever it delivers, it is not what the core would make here. */
static void test_another_interface(void **state)
{
	static const struct sent attached = { .taken = { DISK } }, open = { .taken = { DISK }, .mode = MODE_OPEN };
	static const struct sent node = { .taken = { DISK }, .mode = MODE_NODE, .uid = 1000 };
	static const struct kernel_features kernels[] = {
		{ .iommufd = 1, .vfio_cdev = 1 },
		{ .iommufd = 1, .vfio_cdev = 1, .vfio_group = 1 },
		{ .vfio_group = 1 },
	};
	const struct sent *const sent[] = { &attached, &open, &node };
	struct host host;

	host_init_two_groups(&host);
	for (size_t made = 0; made < COUNT(kernels); made++) {
		for (size_t i = 0; i < COUNT(sent); i++) {
			struct plan plan;

			host.kernel = kernels[made];
			if (sent[i]->mode == MODE_OPEN && !host.kernel.iommufd)
				continue;
			plan = plan_of(&host, sent[i]);
			for (size_t run = 0; run < COUNT(kernels); run++) {
				/* Groups beside iommufd make a difference for nodes only. */
				bool same = made == run || (made < 2 && run < 2 && sent[i] != &node);

				host.kernel = kernels[run];
				check(&host, RULE_FOR_ALICE(UNUSED), &plan, same ? NULL : "");
			}
			host.kernel = (struct kernel_features){ .iommufd = 1 };
			check(&host, RULE_FOR_ALICE(UNUSED), &plan, "neither iommufd nor VFIO groups");
			plan_done(&plan);
		}
	}
	host_done(&host);
}

/* Rights to nodes are for one user, and are not slipped in beside FDs. */
static void test_rights_to_nodes(void **state)
{
	static const struct sent sent = {
		.taken = { CARD, DISK }, .pinned = { NETWORK }, .mode = MODE_NODE, .uid = 1000
	};
	static const struct sent attached = { .taken = { DISK } };
	const struct step container = { .kind = STEP_GRANT, .number = 1000 };
	struct host host;
	struct plan plan;

	host_init_two_groups(&host);
	host.kernel.vfio_group = 1;
	check_sent(&host, RULE_FOR_ALICE(""), &(struct sent){ .taken = { DISK }, .mode = MODE_NODE, .uid = 1000 },
		   "does not allow the mode node");
	plan = plan_of(&host, &sent);
	check(&host, RULE_FOR_ALICE(UNUSED), &plan, NULL);
	for (size_t i = 0; i < plan.count; i++) {
		if (plan.step[i].kind != STEP_GRANT)
			continue;
		plan.step[i].number = 1001;
		check(&host, RULE_FOR_ALICE(UNUSED), &plan, "");
		plan.step[i].number = 1000;
	}
	plan_done(&plan);
	plan = plan_of(&host, &attached);
	assert_int_equal(plan_add(&plan, &container), 0);
	check(&host, RULE_FOR_ALICE(UNUSED), &plan, "");
	plan_done(&plan);
	host_done(&host);
}

/* Each condition that the policy sets, violated alone. */
static void test_beyond_the_policy(void **state)
{
	static const struct {
		const char *policy;
		struct sent sent;
		const char *message;
	} cases[] = {
		{ "{}", { .taken = { DISK } }, "there is no allow rule \"no such rule\"" },
		{ "{\"rules\": [{\"name\": \"r\", \"effect\": \"deny\", \"device\": {\"kind\": \"pci\"}}]}",
		  { .taken = { DISK } },
		  "there is no allow rule \"r\"" },
		{ "{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\", \"device\": {\"address\": \"" CARD "\"}" UNUSED
		  "}]}",
		  { .taken = { CARD, DISK }, .pinned = { NETWORK } },
		  "the rule \"r\" does not grant " DISK " to uid 1000" },
		{ "{\"rules\": [{\"name\": \"no\", \"effect\": \"deny\", \"device\": {\"class\": \"01\"}},"
		  "{\"name\": \"r\", \"effect\": \"allow\", \"device\": {\"kind\": \"pci\"}}]}",
		  { .taken = { DISK } },
		  "does not grant " DISK " to uid 1001" },
		{ "{\"rules\": [{\"name\": \"no\", \"effect\": \"deny\", \"subject\": {\"user\": [\"alice\", \"bob\"]},"
		  "\"device\": {\"class\": \"01\"}}, {\"name\": \"r\", \"effect\": \"allow\","
		  "\"subject\": {\"user\": \"bob\"},"
		  "\"device\": {\"kind\": \"pci\"}}]}",
		  { .taken = { DISK } },
		  "does not grant " DISK " to uid 1001" },
		/* Two rules that reach one device each are not one rule that reaches both. */
		{ "{\"rules\": [{\"name\": \"a\", \"effect\": \"allow\", \"device\": {\"class\": \"01\"}},"
		  "{\"name\": \"b\", \"effect\": \"allow\", \"device\": {\"id\": \"1234:*\"}" UNUSED "}]}",
		  { .taken = { CARD, DISK }, .pinned = { NETWORK } },
		  "does not grant " DISK },
		{ "{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\", \"device\": {\"kind\": \"pci\"}}],"
		  "\"never\": [{\"class\": \"01\"}]}",
		  { .taken = { DISK } },
		  DISK " is in never" },
		{ "{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\", \"device\": {\"kind\": \"pci\"}" UNUSED "}],"
		  "\"never\": [{\"driver\": \"e1000\"}]}",
		  { .taken = { CARD }, .pinned = { NETWORK } },
		  NETWORK " is in never" },
		/* The member is not moved, but the group's new owner locks it out all the same. */
		{ "{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\", \"device\": {\"kind\": \"pci\"}" UNUSED "}],"
		  "\"never\": [{\"driver\": \"e1000\"}]}",
		  { .taken = { CARD } },
		  NETWORK " would be locked out and is in never" },
		{ RULE_FOR_ALICE(""),
		  { .taken = { CARD }, .pinned = { NETWORK } },
		  "the rule \"r\" does not allow locking out " NETWORK },
		{ RULE_FOR_ALICE(""), { .taken = { CARD } }, "the rule \"r\" does not allow locking out " NETWORK },
		{ RULE_FOR_ALICE(", \"lockout\": {\"named\": \"0000:02:02.1\"}"),
		  { .taken = { CARD }, .pinned = { NETWORK } },
		  "does not allow locking out " NETWORK },
		{ RULE_FOR_ALICE(""), { .taken = { DISK }, .mode = MODE_OPEN }, "does not allow the mode open" },
		{ RULE_FOR_ALICE(", \"modes\": [\"open\", \"brokered\"]"),
		  { .taken = { DISK } },
		  "does not allow the mode attached" },
		{ RULE_FOR_ALICE(", \"limits\": {\"devices\": 1}"),
		  { .taken = { CARD, NETWORK } },
		  "allows 1 devices" },
		{ RULE_FOR_ALICE(""), { .taken = { DISK }, .memlock = 1 }, "less locked memory" },
		{ RULE_FOR_ALICE(", \"limits\": {\"memlock\": \"1M\"}"),
		  { .taken = { DISK }, .memlock = (1 << 20) + 1 },
		  "less locked memory" },
	};
	struct host host;

	host_init_two_groups(&host);
	for (size_t i = 0; i < COUNT(cases); i++)
		check_sent(&host, cases[i].policy, &cases[i].sent, cases[i].message);
	host_done(&host);
}

/* A rule of which some subjects are denied before reaches the device for the others. */
static void test_reached_by_somebody(void **state)
{
	static const struct sent sent = { .taken = { DISK } };
	struct host host;

	host_init_two_groups(&host);
	check_sent(&host,
		   "{\"rules\": [{\"name\": \"no\", \"effect\": \"deny\", \"subject\": {\"user\": \"bob\"},"
		   "\"device\": {\"class\": \"01\"}}, {\"name\": \"r\","
		   "\"effect\": \"allow\", \"subject\":"
		   "{\"user\": [\"bob\", \"alice\"]}, \"device\": {\"kind\": \"pci\"}}]}",
		   &sent, NULL);
	check_sent(&host,
		   "{\"rules\": [{\"name\": \"no\", \"effect\": \"deny\", \"subject\": {\"user\": \"bob\","
		   "\"group\": \"kvm\"}, \"device\": {\"class\": \"01\"}}, {\"name\": \"r\","
		   "\"effect\": \"allow\", \"subject\":"
		   "{\"user\": \"bob\"}, \"device\": {\"kind\": \"pci\"}}]}",
		   &sent, NULL);
	/* The first rule that reaches does not cover, the second does. */
	check_sent(&host,
		   "{\"rules\": [{\"name\": \"a\", \"effect\": \"allow\", \"subject\": {\"user\": \"alice\"},"
		   "\"modes\": \"open\", \"device\": {\"kind\": \"pci\"}}, {\"name\": \"b\", \"effect\": \"allow\","
		   "\"device\": {\"kind\": \"pci\"}}]}",
		   &sent, NULL);
	/* Two rules, each denying one, leave nobody of the third. */
	check_sent(&host,
		   "{\"rules\": [{\"name\": \"a\", \"effect\": \"deny\", \"subject\": {\"user\": \"alice\"},"
		   "\"device\": {\"kind\": \"pci\"}}, {\"name\": \"b\", \"effect\": \"deny\","
		   "\"subject\": {\"user\": \"bob\"},"
		   "\"device\": {\"kind\": \"pci\"}}, {\"name\": \"c\", \"effect\": \"allow\", \"subject\": {\"user\":"
		   "[\"alice\", \"bob\"]}, \"device\": {\"kind\": \"pci\"}}]}",
		   &sent, "the rule \"c\" does not grant");
	host_done(&host);
}

/* What the executor's own survey says. */
static void test_in_use(void **state)
{
	static const struct sent disk = { .taken = { DISK } }, card = { .taken = { CARD }, .pinned = { NETWORK } };
	static const char take[] =
		"{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\", \"device\": {\"address\": [\"" DISK "\", \"" CARD
		"\"]}, \"in_use\": \"take\", \"lockout\": {\"named\": \"" NETWORK "\"}}]}";
	struct host host;

	host_init_two_groups(&host);
	host_add_use(&host, DISK, USE_MOUNT, SEVERITY_FATAL, "mounted on /");
	host_add_use(&host, NETWORK, USE_NETWORK_LINK, SEVERITY_FATAL, "default route");
	check_sent(&host, RULE_FOR_ALICE(UNUSED), &disk, DISK " is in use: mounted on /");
	check_sent(&host, RULE_FOR_ALICE(UNUSED ", \"in_use\": \"take\""), &disk, DISK " is in use");
	check_sent(&host, RULE_FOR_ALICE(UNUSED), &card, NETWORK " would be locked out and is in use: default route");
	check_sent(&host, RULE_FOR_ALICE(", \"lockout\": {\"named\": \"" NETWORK "\"}"), &card, "is in use");
	check_sent(&host, RULE_FOR_ALICE(", \"lockout\": \"unused\", \"in_use\": \"take\""), &card, "is in use");
	check_sent(&host, take, &disk, NULL);
	check_sent(&host, take, &card, NULL);
	host_add_use(&host, DISK, USE_HOLDER, SEVERITY_IDLE, "open in 7");
	check_sent(&host, take, &disk, "open in 7");
	host_done(&host);
}

static void test_hardware(void **state)
{
	static const struct sent disk = { .taken = { DISK } },
				 bridge = { .taken = { BRIDGE }, .pinned = { CARD, NETWORK } };
	static const struct sent pinned_bridge = { .taken = { CARD }, .pinned = { NETWORK, BRIDGE } };
	static const struct sent card = { .taken = { CARD }, .pinned = { NETWORK } };
	static const struct sent stranger = { .taken = { CARD }, .pinned = { NETWORK, DISK } };
	struct host host;

	host_init_two_groups(&host);
	check_sent(&host, RULE_FOR_ALICE(UNUSED), &bridge, BRIDGE " is a bridge");
	check_sent(&host, RULE_FOR_ALICE(UNUSED), &pinned_bridge, BRIDGE " is a bridge");
	check_sent(&host, RULE_FOR_ALICE(UNUSED), &stranger, DISK " shares no group with a device that the plan takes");
	host_device(&host, DISK)->pci.reset_methods = 0;
	check_sent(&host, RULE_FOR_ALICE(UNUSED), &disk, "requires a reset");
	check_sent(&host, RULE_FOR_ALICE(UNUSED ", \"reset\": \"try\""), &disk, NULL);
	host_device(&host, DISK)->driver_fixed = 1;
	check_sent(&host, RULE_FOR_ALICE(UNUSED ", \"reset\": \"try\""), &disk, "nvme of " DISK);
	host_device(&host, NETWORK)->driver_fixed = 1;
	check_sent(&host, RULE_FOR_ALICE(UNUSED), &card, "e1000 of " NETWORK);
	host_device(&host, NETWORK)->driver_fixed = 0;
	host_device(&host, CARD)->no_iommu = 1;
	check_sent(&host, RULE_FOR_ALICE(UNUSED), &card, "the IOMMU group of " CARD " is one of VFIO's no-IOMMU mode");
	host_device(&host, CARD)->no_iommu = 0;
	host.kernel.noiommu = 1;
	check_sent(&host, RULE_FOR_ALICE(UNUSED), &card, "enable_unsafe_noiommu_mode");
	host.kernel.noiommu = 0;
	host.kernel.unsafe_interrupts = 1;
	check_sent(&host, RULE_FOR_ALICE(UNUSED), &card, "allow_unsafe_interrupts");
	check_sent(&host, RULE_FOR_ALICE(UNUSED ", \"unsafe_interrupts\": \"refuse\""), &card,
		   "allow_unsafe_interrupts");
	check_sent(&host, RULE_FOR_ALICE(UNUSED ", \"unsafe_interrupts\": \"accept\""), &card, NULL);
	/* It is not a matter of unsafe interrupts: nobody may accept that. */
	host.kernel.noiommu = 1;
	check_sent(&host, RULE_FOR_ALICE(UNUSED ", \"unsafe_interrupts\": \"accept\""), &card,
		   "enable_unsafe_noiommu_mode");
	host_done(&host);
}

static void test_no_group(void **state)
{
	static const struct sent sent = { .taken = { "0000:04:00.0" } };
	struct device bare = device_of("0000:04:00.0", -1, "e1000");
	struct host host;

	host_init_two_groups(&host);
	host_add(&host, &bare);
	check_sent(&host, RULE_FOR_ALICE(UNUSED), &sent, "has no IOMMU group");
	host_done(&host);
}

/* A claim that grows: what its own members can look like is let alone, everything else is judged as ever. */
static void test_growing(void **state)
{
	static const struct sent grows = { .taken = { CARD }, .grows = true, .ioas_id = 3 };
	static const struct sent anew = { .taken = { CARD } };
	struct device *network;
	struct host host;

	host_init_two_groups(&host);
	check_sent(&host, RULE_FOR_ALICE(""), &grows, "does not allow locking out " NETWORK);
	network = host_device(&host, NETWORK);
	network->driver[0] = '\0';
	check_sent(&host, RULE_FOR_ALICE(""), &grows, "does not allow locking out " NETWORK);
	strcpy(network->driver_override, PINNED_OVERRIDE);
	check_sent(&host, RULE_FOR_ALICE(""), &grows, NULL);
	check_sent(&host, RULE_FOR_ALICE(""), &anew, "does not allow locking out " NETWORK);
	*network = vfio_device_of(NETWORK, 5);
	check_sent(&host, RULE_FOR_ALICE(""), &grows, NULL);
	check_sent(&host, RULE_FOR_ALICE(""), &anew, "does not allow locking out " NETWORK);
	check_sent(&host, "{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\", \"device\": {\"id\": \"1234:*\"}}]}",
		   &grows, "does not allow locking out " NETWORK);
	host_done(&host);
}

/* The same without iommufd: what the client opens by itself, because it has the group, is judged as everything else. */
static void test_growing_by_group(void **state)
{
	static const struct sent grows = { .taken = { CARD }, .grows = true, .had_group = 5 };
	static const struct sent other = { .taken = { CARD, DISK }, .grows = true, .had_group = 5 };
	struct device *network;
	struct plan plan;
	struct host host;

	host_init_two_groups(&host);
	host.kernel = (struct kernel_features){ .vfio_group = 1 };
	check_sent(&host, RULE_FOR_ALICE(""), &grows, "does not allow locking out " NETWORK);
	network = host_device(&host, NETWORK);
	*network = vfio_device_of(NETWORK, 5);
	check_sent(&host, RULE_FOR_ALICE(""), &grows, NULL);
	check_sent(&host, RULE_FOR_ALICE(", \"limits\": {\"devices\": 2}"), &other, NULL);
	check_sent(&host, "{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\", \"device\": {\"id\": \"1234:*\"}}]}",
		   &grows, "does not allow locking out " NETWORK);
	check_sent(&host, RULE_FOR_ALICE(", \"modes\": [\"node\"]"),
		   &(struct sent){ .taken = { CARD }, .grows = true, .mode = MODE_NODE, .uid = 1000 }, NULL);
	/* A claim that is new is no excuse for the member. */
	check_sent(&host, RULE_FOR_ALICE(", \"modes\": [\"node\"]"),
		   &(struct sent){ .taken = { CARD }, .mode = MODE_NODE, .uid = 1000 },
		   "does not allow locking out " NETWORK);
	/* One device of the group opened by us, and the other left to the client: that is no plan. */
	plan = plan_of(&host, &(struct sent){ .taken = { CARD, NETWORK }, .grows = true, .had_group = 5 });
	check(&host, RULE_FOR_ALICE(UNUSED), &plan, NULL);
	plan.step[plan.count - 1].number = 0;
	check(&host, RULE_FOR_ALICE(UNUSED), &plan, "");
	plan_done(&plan);
	host_done(&host);
}

/* Names, drivers and identities are what the topology has now. */
static void test_host_has_changed(void **state)
{
	static const struct sent sent = { .taken = { CARD }, .pinned = { NETWORK } };
	struct host host;
	struct plan plan;
	struct device saved;

	host_init_two_groups(&host);
	plan = plan_of(&host, &sent);
	check(&host, RULE_FOR_ALICE(UNUSED), &plan, NULL);
	saved = *host_device(&host, NETWORK);
	strcpy(host_device(&host, NETWORK)->driver, "e1000e");
	check(&host, RULE_FOR_ALICE(UNUSED), &plan, "not what these devices need:");
	*host_device(&host, NETWORK) = saved;
	strcpy(host_device(&host, NETWORK)->driver_override, "x");
	check(&host, RULE_FOR_ALICE(UNUSED), &plan, "not what these devices need:");
	*host_device(&host, NETWORK) = saved;
	host_device(&host, NETWORK)->identity++;
	check(&host, RULE_FOR_ALICE(UNUSED), &plan, NETWORK " is not the device");
	assert_true(topology_remove(host.topology, NETWORK));
	check(&host, RULE_FOR_ALICE(UNUSED), &plan, NETWORK ", which does not exist on this host");
	plan_done(&plan);
	host_done(&host);
}

/* Every single change of a plan that is right makes one that is wrong. */
static void change_every_step(const struct kernel_features *kernel, enum delivery_mode mode)
{
	const struct sent sent = {
		.taken = { CARD, DISK }, .pinned = { NETWORK }, .memlock = 4096, .mode = mode, .uid = 1000
	};
	static const char policy[] = RULE_FOR_ALICE(UNUSED ", \"limits\": {\"memlock\": 4096}");
	struct host host;
	struct plan plan, changed = { .step = NULL };

	host_init_two_groups(&host);
	host.kernel = *kernel;
	plan = plan_of(&host, &sent);
	check(&host, policy, &plan, NULL);
	for (size_t i = 0; i < plan.count; i++)
		assert_int_equal(plan_add(&changed, &plan.step[i]), 0);
	for (size_t i = 0; i < plan.count; i++) {
		struct step *step = &changed.step[i];

		/* left out; twice; swapped with the next; its fields; a kind of another plan */
		memmove(step, step + 1, (plan.count - i - 1) * sizeof *step);
		changed.count = plan.count - 1;
		/*
		 * The memory limit is a step that a plan may have or not; without iommufd the container's grant is one
		 * that a claim does not have that grows.
		 */
		check(&host, policy, &changed,
		      i == plan.count - 1 ||
				      (!kernel->iommufd && plan.step[i].kind == STEP_GRANT && !plan.step[i].device[0])
			      ? NULL
			      : "");
		memcpy(changed.step, plan.step, plan.count * sizeof *step);
		changed.count = plan.count;
		assert_int_equal(plan_add(&changed, &plan.step[i]), 0);
		check(&host, policy, &changed, "");
		changed.count = plan.count;
		step = &changed.step[i]; /* it may have moved as the plan grew */
		if (i + 1 < plan.count) {
			step[0] = plan.step[i + 1];
			step[1] = plan.step[i];
			/* Two devices may change places in one kind of step, but not in that one alone. */
			check(&host, policy, &changed, "");
			memcpy(changed.step, plan.step, plan.count * sizeof *step);
		}
		for (unsigned field = 0; field < 6; field++) {
			if (field == 0)
				step->identity ^= 1;
			else if (field == 1)
				step->number ^= UINT64_C(1) << 40;
			else if (field == 2)
				strcpy(step->device, step->device[0] ? "0000:02:02.1" : DISK);
			else if (field == 3)
				strcpy(step->value, "e1000");
			else if (field == 4)
				strcpy(step->before, step->before[0] ? "" : "e1000");
			else
				step->kind = STEP_RESTORE;
			check(&host, policy, &changed, "");
			*step = plan.step[i];
		}
	}
	check(&host, policy, &changed, NULL);
	/* Cut off anywhere, although what follows still stands in memory. Up to the last open it is a plan of mode
	 * open. */
	for (changed.count = plan.count - 2; changed.count > 0; changed.count--) {
		bool open =
			plan.step[changed.count - 1].kind == STEP_OPEN && plan.step[changed.count].kind == STEP_BIND;

		check(&host, policy, &changed, open ? NULL : "");
	}
	plan_done(&changed);
	plan_done(&plan);
	host_done(&host);
}

static void test_every_change_of_a_plan(void **state)
{
	static const struct kernel_features newest = { .iommufd = 1, .vfio_cdev = 1, .vfio_group = 1 };
	static const struct kernel_features groups = { .vfio_group = 1 };

	change_every_step(&newest, MODE_ATTACHED);
	change_every_step(&groups, MODE_ATTACHED);
	change_every_step(&newest, MODE_NODE);
	change_every_step(&groups, MODE_NODE);
}

static void test_empty_and_endless(void **state)
{
	struct plan empty = { .step = NULL }, endless = { .count = PLAN_STEPS_MAX + 1 };
	struct step context = { .kind = STEP_CONTEXT };
	struct plan nothing = { .step = &context, .count = 1 };
	struct host host;

	host_init_two_groups(&host);
	check(&host, RULE_FOR_ALICE(UNUSED), &empty, "0 steps");
	check(&host, RULE_FOR_ALICE(UNUSED), &endless, "2049 steps");
	check(&host, RULE_FOR_ALICE(UNUSED), &nothing, "takes no devices");
	context.kind = STEP_KIND_COUNT;
	check(&host, RULE_FOR_ALICE(UNUSED), &nothing, "malformed");
	host_done(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_covered),
		cmocka_unit_test(test_another_interface),
		cmocka_unit_test(test_rights_to_nodes),
		cmocka_unit_test(test_beyond_the_policy),
		cmocka_unit_test(test_reached_by_somebody),
		cmocka_unit_test(test_in_use),
		cmocka_unit_test(test_hardware),
		cmocka_unit_test(test_no_group),
		cmocka_unit_test(test_growing),
		cmocka_unit_test(test_growing_by_group),
		cmocka_unit_test(test_host_has_changed),
		cmocka_unit_test(test_every_change_of_a_plan),
		cmocka_unit_test(test_empty_and_endless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
