/*
 * At random: the plan of every decision that allows is covered; and a plan that a broker makes up of any devices is
 * covered only if the policy lets some subject have them. Decision and check are written apart and have to agree.
 */
#include "decision_fixture.h"

#include "../../policy/check/plan_check.h"

#include <stdio.h>
#include <string.h>

enum { DEVICES = 7 };

static const char *const names[DEVICES] = {
	"0000:01:00.0", "0000:01:00.1", "0000:02:00.0", "0000:02:00.1", "0000:02:00.2", "0000:03:00.0", "0000:04:00.0",
};

static const char *pick(struct dice *dice, const char *const *texts, size_t count)
{
	return texts[dice_roll(dice, (uint32_t)count)];
}
#define PICK(dice, ...) pick(dice, (const char *const[]){ __VA_ARGS__ }, COUNT(((const char *const[]){ __VA_ARGS__ })))

static void make_host(struct dice *dice, struct host *host)
{
	static const int32_t groups[DEVICES] = { 1, 1, 2, 2, 2, 3, 4 };

	host_init(host);
	host->kernel.iommufd = dice_roll(dice, 3) > 0;
	host->kernel.vfio_group = !host->kernel.iommufd || dice_roll(dice, 2);
	host->kernel.unsafe_interrupts = dice_roll(dice, 8) == 0;
	for (unsigned i = 0; i < DEVICES; i++) {
		struct device device = dice_roll(dice, 5) == 0
					       ? vfio_device_of(names[i], groups[i])
					       : device_of(names[i], groups[i], PICK(dice, "", "e1000", "nvme"));

		device.pci.bridge = dice_roll(dice, 12) == 0;
		device.driver_fixed = dice_roll(dice, 12) == 0;
		device.pci.reset_methods = dice_roll(dice, 4) ? RESET_METHOD_FLR : 0;
		if (dice_roll(dice, 6) == 0)
			strcpy(device.driver_override, PINNED_OVERRIDE);
		host_add(host, &device);
		if (dice_roll(dice, 5) == 0)
			host_add_use(host, names[i], dice_roll(dice, 4) ? USE_MOUNT : USE_HOLDER,
				     (enum severity)dice_roll(dice, SEVERITY_COUNT), "a use");
	}
}

/* One device is asked of a subject in each list at most, so that who is left by earlier rules is plain to see. */
static void make_policy(struct dice *dice, char *out, size_t size)
{
	size_t length = (size_t)snprintf(out, size, "{\"rules\": [");
	unsigned rules = 1 + dice_roll(dice, 4);

	for (unsigned i = 0; i < rules; i++) {
		bool allow = dice_roll(dice, 4) > 0;

		length += (size_t)snprintf(
			out + length, size - length, "%s{\"name\": \"r%u\", \"effect\": \"%s\"%s, \"device\": {%s}",
			i ? "," : "", i, allow ? "allow" : "deny",
			PICK(dice, "", "", ", \"subject\": {\"user\": \"alice\"}",
			     ", \"subject\": {\"group\": \"kvm\"}"),
			PICK(dice, "\"kind\": \"pci\"", "\"address\": \"0000:01:*\"", "\"address\": \"0000:02:00.0\"",
			     "\"address\": [\"0000:01:00.0\", \"0000:03:00.0\"]", "\"driver\": [\"e1000\", \"\"]"));
		if (allow)
			length +=
				(size_t)snprintf(out + length, size - length, "%s%s%s%s%s%s",
						 PICK(dice, "", ", \"lockout\": \"unused\"",
						      ", \"lockout\": \"unused\"",
						      ", \"lockout\": {\"named\": [\"0000:01:00.1\", \"0000:02:00.1\","
						      "\"0000:02:00.2\"]}"),
						 PICK(dice, "", ", \"modes\": [\"open\", \"node\"]",
						      ", \"modes\": [\"open\", \"attached\", \"node\"]"),
						 PICK(dice, "", "", ", \"unsafe_interrupts\": \"accept\""),
						 PICK(dice, "", "", ", \"limits\": {\"devices\": 2}"),
						 PICK(dice, ", \"reset\": \"try\"", ", \"reset\": \"try\"", ""),
						 PICK(dice, "", ", \"in_use\": \"take\""));
		length += (size_t)snprintf(out + length, size - length, "}");
	}
	snprintf(out + length, size - length, "]%s}",
		 PICK(dice, "", "", "", ", \"never\": [{\"driver\": \"nvme\"}]",
		      ", \"never\": [{\"address\": \"0000:02:00.2\"}]"));
}

/* The subjects that the policies tell apart. */
static struct subject subject_number(unsigned who)
{
	return (struct subject){ .uid = who & 1 ? 1000 : 1001, .gid = who & 2 ? 36 : 100 };
}

/* Whether the plan is covered for the subject by some rule. */
static bool check(const struct host *host, const struct policy *policy, const struct plan *plan,
		  const struct subject *subject)
{
	struct plan_owner owner = { .subject = *subject };
	bool covered = false;
	char why[TEXT_MAX];

	for (size_t i = 0; i < policy->rule_count && !covered; i++) {
		snprintf(owner.rule, sizeof owner.rule, "%s", policy->rule[i].name);
		covered = plan_is_covered(policy, &host->view, plan, &owner, why);
	}
	return covered;
}

/* Whether the subject is allowed these devices. The plan of a decision that allows has to be covered. */
static bool may_have(const struct host *host, const struct policy *policy, const char *const *devices, size_t count,
		     enum delivery_mode mode, const struct subject *subject)
{
	struct request request = { .subject = subject, .device = devices, .device_count = count, .mode = mode };
	struct decision decision;
	bool may;

	assert_int_equal(decide(policy, &host->view, &request, &decision), 0);
	may = decision.allowed;
	if (may && !check(host, policy, &decision.plan, subject))
		fail_msg("the plan of a decision is not covered");
	decision_done(&decision);
	return may;
}

/* A plan that takes the devices and pins some of the others, rightly or not. */
static struct plan make_up(struct dice *dice, const struct host *host, const char *const *taken, size_t count,
			   const struct delivery *delivery, bool pin_all)
{
	struct claim_device device[DEVICES];
	struct plan plan = { .step = NULL };
	size_t filled = 0;

	for (size_t i = 0; i < count; i++)
		device[filled++] = (struct claim_device){ .before = *topology_find(host->topology, taken[i]) };
	for (size_t i = 0; i < DEVICES; i++) {
		const struct device *member = topology_find(host->topology, names[i]);
		bool related = false;

		for (size_t k = 0; k < count; k++) {
			if (strcmp(names[i], taken[k]) == 0)
				goto next;
			related = related || device[k].before.group == member->group;
		}
		if (pin_all ? related && !device_is_bridge(member) : dice_roll(dice, 6) == 0)
			device[filled++] = (struct claim_device){ .before = *member, .lockout = true };
next:;
	}
	assert_int_equal(plan_for_claim(&plan, device, filled, delivery), 0);
	return plan;
}

/* Holds decision and check against each other for one subject and one choice of devices. True if the plan is covered.
 */
static bool agree(struct dice *dice, const struct host *host, const struct policy *policy, const char *const *taken,
		  size_t count, enum delivery_mode mode, const struct subject *subject, const char *text)
{
	struct delivery delivery = { .mode = mode,
				     .groups = host->kernel.vfio_group,
				     .uid = subject->uid,
				     .interface = (enum vfio_interface)kernel_interface(&host->kernel) };
	bool pin_all = dice_roll(dice, 3) > 0, may = may_have(host, policy, taken, count, mode, subject), is;
	struct plan plan;

	/* There is no such plan: one for the other interface has to be refused, too. */
	if (mode == MODE_OPEN)
		delivery.interface = INTERFACE_IOMMUFD;
	plan = make_up(dice, host, taken, count, &delivery, pin_all);
	is = check(host, policy, &plan, subject);
	plan_done(&plan);
	if (is && !may)
		fail_msg("covered, but he may not: %s", text);
	if (pin_all && may && !is)
		fail_msg("he may, but not covered: %s", text);
	return is;
}

static void test_agreement(void **state)
{
	struct dice dice = dice_of(2026);
	unsigned covered = 0, refused = 0;

	for (unsigned round = 0; round < 2000; round++) {
		struct policy *policy;
		char text[2048];
		struct host host;

		make_host(&dice, &host);
		make_policy(&dice, text, sizeof text);
		policy = policy_of(text);
		for (unsigned i = 0; i < 20; i++) {
			enum delivery_mode mode = (enum delivery_mode)dice_roll(&dice, MODE_NODE + 1);
			size_t count = 1 + dice_roll(&dice, 3), first = dice_roll(&dice, DEVICES - 2);
			const struct subject subject = subject_number(i % 4);
			bool is;

			count = count > DEVICES - first ? DEVICES - first : count;
			is = agree(&dice, &host, policy, &names[first], count, mode, &subject, text);
			covered += is;
			refused += !is;
		}
		policy_free(policy);
		host_done(&host);
	}
	/* Enough of both, or the test would show nothing. */
	assert_true(covered > 1000);
	assert_true(refused > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agreement),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
