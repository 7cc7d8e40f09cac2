/*
 * The executor's ledger of what it gave: what it enters, and which releases it lets through. Whatever a broker that was
 * taken over changes in the release that is right, the ledger refuses.
 */
#include "decision_fixture.h"

#include "../../policy/check/given.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ONE "00000000000000000000000000000001"
#define TWO "00000000000000000000000000000002"
#define ANYBODY \
	"{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\", \"device\": {\"kind\": \"pci\"}, \"lockout\": \"unused\"," \
	"\"modes\": [\"attached\", \"node\"], \"limits\": {\"devices\": 2}}]}"
#define MILDER \
	"{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\", \"device\": {\"kind\": \"pci\"}, \"lockout\": \"unused\"," \
	"\"modes\": [\"attached\", \"node\"], \"reset\": \"try\"}]}"

/* One claim's side of a test: what a broker knows of it. */
struct asked {
	const char *id;
	uid_t uid;
	enum delivery_mode mode;
	bool grows;
	bool by_unbind; /* an operator has waived the kernel's proof */
	struct claim_device device[4];
	size_t count;
};

struct scene {
	struct host host;
	struct policy *policy;
	struct ledger *given;
	struct given_change change;
	char why[TEXT_MAX];
};

static void begin(struct scene *scene)
{
	*scene = (struct scene){ .policy = policy_of(ANYBODY), .given = ledger_new() };
	host_init_two_groups(&scene->host);
}

static void end(struct scene *scene)
{
	ledger_free(scene->given);
	policy_free(scene->policy);
	host_done(&scene->host);
}

static void add(struct scene *scene, struct asked *asked, const char *name, bool lockout)
{
	asked->device[asked->count++] = (struct claim_device){
		.before = *host_device(&scene->host, name),
		.lockout = lockout,
		.reset = lockout ? RESET_SKIP : RESET_REQUIRE,
		.restore = true,
	};
}

static struct plan_owner owner_of(const struct asked *asked, const char *rule)
{
	struct plan_owner owner = { .subject = { .uid = asked->uid } };

	strcpy(owner.claim, asked->id);
	strcpy(owner.rule, rule);
	return owner;
}

static bool take_by(struct scene *scene, const struct asked *asked, const char *rule)
{
	const struct delivery delivery = { .mode = asked->mode,
					   .interface = INTERFACE_IOMMUFD,
					   .uid = asked->uid,
					   .grows = asked->grows,
					   .ioas_id = asked->grows };
	const struct plan_owner owner = owner_of(asked, rule);
	struct plan plan = { .step = NULL };
	bool taken;

	assert_int_equal(plan_for_claim(&plan, asked->device, asked->count, &delivery), 0);
	taken = given_take(scene->given, scene->policy, scene->host.topology, &scene->host.kernel, &plan, &owner,
			   asked->grows, &scene->change, scene->why);
	plan_done(&plan);
	return taken;
}

static void take(struct scene *scene, const struct asked *asked)
{
	if (!take_by(scene, asked, "r"))
		fail_msg("a claim is refused: %s", scene->why);
}

static void refuse(struct scene *scene, const struct asked *asked, const char *rule, const char *why)
{
	size_t claims = ledger_count(scene->given);

	assert_false(take_by(scene, asked, rule));
	assert_contains(scene->why, why);
	assert_int_equal(ledger_count(scene->given), claims);
}

/* The plan that a broker makes to give devices back. */
static struct plan release_of(const struct asked *asked, size_t count, bool pin)
{
	const struct giving_back how = { .interface = INTERFACE_IOMMUFD, .pin = pin, .by_unbind = asked->by_unbind };
	struct plan plan = { .step = NULL };

	if (asked->mode == MODE_NODE && !pin)
		assert_int_equal(plan_for_revocation(&plan, asked->device, count, asked->uid, true), 0);
	assert_int_equal(plan_for_release(&plan, asked->device, count, &how), 0);
	return plan;
}

static bool matches(struct scene *scene, const struct asked *asked, struct plan *plan, bool context)
{
	const struct plan_owner owner = owner_of(asked, "");

	return given_match_release(scene->given, scene->policy, scene->host.topology, plan, &owner, context,
				   &scene->change, scene->why);
}

static void give_back(struct scene *scene, const struct asked *asked, size_t count, bool pin, enum given_effect effect)
{
	struct plan plan = release_of(asked, count, pin);

	if (!matches(scene, asked, &plan, pin))
		fail_msg("a release is refused: %s", scene->why);
	assert_int_equal(scene->change.effect, effect);
	given_settle(scene->given, &scene->change, GIVEN_DONE);
	plan_done(&plan);
}

static void test_nothing_is_given_twice(void **state)
{
	struct asked card = { .id = ONE, .uid = 1000 }, again = { .id = TWO, .uid = 1001 }, sibling = again,
		     disk = again;
	struct scene scene;

	begin(&scene);
	add(&scene, &card, CARD, false);
	add(&scene, &card, NETWORK, true);
	add(&scene, &again, CARD, false);
	add(&scene, &sibling, NETWORK, false);
	add(&scene, &disk, DISK, false);
	take(&scene, &card);
	refuse(&scene, &again, "r", CARD " was delivered to the claim " ONE " of uid 1000");
	refuse(&scene, &sibling, "r", NETWORK " was delivered to the claim " ONE);
	again.id = ONE;
	refuse(&scene, &again, "r", "uid 1001 cannot add to it");
	take(&scene, &disk);
	give_back(&scene, &card, 2, false, GIVEN_RELEASE);
	again.id = TWO;
	give_back(&scene, &disk, 1, false, GIVEN_RELEASE);
	take(&scene, &again);
	end(&scene);
}

/* A group's members are given with it, moved or not: what the plan does not mention is nobody else's either. */
static void test_members_that_no_step_is_about(void **state)
{
	struct asked card = { .id = ONE, .uid = 1000 }, network = { .id = TWO, .uid = 1001 };
	struct scene scene;

	begin(&scene);
	add(&scene, &card, CARD, false);
	add(&scene, &network, NETWORK, false);
	take(&scene, &card);
	refuse(&scene, &network, "r", NETWORK " was delivered to the claim");
	end(&scene);
}

static void test_what_a_claim_may_not_be(void **state)
{
	struct asked card = { .id = ONE, .uid = 1000 }, grows = { .id = TWO, .uid = 1000, .grows = true }, more;
	struct scene scene;

	begin(&scene);
	add(&scene, &card, CARD, false);
	add(&scene, &card, NETWORK, true);
	add(&scene, &grows, DISK, false);
	refuse(&scene, &card, "no such rule", "there is no allow rule \"no such rule\"");
	refuse(&scene, &card, "", "there is no allow rule");
	refuse(&scene, &grows, "r", "a new claim gets a context of its own");
	take(&scene, &card);
	grows.id = ONE;
	grows.mode = MODE_OPEN;
	refuse(&scene, &grows, "r", "was delivered in the mode attached");
	grows.mode = MODE_ATTACHED;
	grows.grows = false;
	refuse(&scene, &grows, "r", "no device can be added in another one");
	more = card;
	more.grows = true;
	more.count = 1;
	refuse(&scene, &more, "r", "already has " CARD);
	grows.grows = true;
	take(&scene, &grows);
	more = (struct asked){ .id = ONE, .uid = 1000, .grows = true };
	add(&scene, &more, NETWORK, false);
	refuse(&scene, &more, "r", "allows 2 devices per user");
	end(&scene);
}

/* A broker that is right is let through; one step changed, left out, doubled or moved, and it is not. */
static void change_every_step(enum delivery_mode mode, bool by_unbind)
{
	struct asked card = { .id = ONE, .uid = 1000, .mode = mode, .by_unbind = by_unbind };
	struct scene scene;
	struct plan plan, changed = { .step = NULL };

	begin(&scene);
	add(&scene, &card, CARD, false);
	add(&scene, &card, NETWORK, true);
	take(&scene, &card);
	plan = release_of(&card, 2, false);
	for (size_t i = 0; i < plan.count; i++)
		assert_int_equal(plan_add(&changed, &plan.step[i]), 0);
	assert_int_equal(plan_add(&changed, &plan.step[0]), 0);
	for (size_t i = 0; i < plan.count; i++) {
		bool container = plan.step[i].kind == STEP_REVOKE && !plan.step[i].device[0];

		for (unsigned change = 0; change < 7; change++) {
			struct step *step = &changed.step[i];

			memcpy(changed.step, plan.step, plan.count * sizeof *plan.step);
			changed.count = plan.count;
			if (change == 0)
				step->number ^= 4;
			else if (change == 1)
				strcpy(step->value, "e1000e");
			else if (change == 2)
				strcpy(step->before, "e1000e");
			else if (change == 3)
				step->kind = step->kind == STEP_RESET ? STEP_UNBIND_VFIO : STEP_RESET;
			else if (change == 4)
				strcpy(step->device, DISK);
			else if (change == 5 && i + 1 < plan.count && plan.step[i].kind != plan.step[i + 1].kind)
				step[0] = plan.step[i + 1], step[1] = plan.step[i];
			else if (change == 6)
				memmove(step, step + 1, (plan.count - i - 1) * sizeof *step), changed.count--;
			if (memcmp(changed.step, plan.step, plan.count * sizeof *plan.step) == 0 &&
			    changed.count == plan.count)
				continue;
			/* Whether the container is needed elsewhere, the broker knows; nodes that were not given are
			 * not closed. */
			if (matches(&scene, &card, &changed, false) && !(container && (change == 4 || change == 6)))
				fail_msg("step %zu, change %u is let through", i, change);
		}
	}
	assert_true(matches(&scene, &card, &plan, false));
	plan_done(&plan);
	plan_done(&changed);
	end(&scene);
}

static void test_every_change_of_a_release(void **state)
{
	change_every_step(MODE_ATTACHED, false);
	change_every_step(MODE_NODE, false);
	change_every_step(MODE_ATTACHED, true);
	change_every_step(MODE_NODE, true);
}

/* What was there before is what the ledger says, and so is the reset, unless the rule has become milder. */
static void test_what_was_there_before(void **state)
{
	struct asked card = { .id = ONE, .uid = 1000 }, wrong;
	struct scene scene;
	struct plan plan;

	begin(&scene);
	strcpy(host_device(&scene.host, CARD)->driver_override, "mine");
	add(&scene, &card, CARD, false);
	add(&scene, &card, NETWORK, true);
	take(&scene, &card);
	wrong = card;
	wrong.device[0].before.driver_override[0] = '\0';
	plan = release_of(&wrong, 2, false);
	assert_false(matches(&scene, &card, &plan, false));
	plan_done(&plan);
	wrong = card;
	wrong.device[0].reset = RESET_TRY;
	plan = release_of(&wrong, 2, false);
	assert_false(matches(&scene, &card, &plan, false));
	policy_free(scene.policy);
	scene.policy = policy_of(MILDER);
	assert_true(matches(&scene, &card, &plan, false));
	plan_done(&plan);
	give_back(&scene, &card, 2, false, GIVEN_RELEASE);
	end(&scene);
}

/* Of a device that was on VFIO before nothing is written, so its driver_override is the broker's to know, within
 * limits. */
static void test_what_was_on_vfio_before(void **state)
{
	static const struct {
		const char *override;
		bool right;
	} cases[] = { { "", true }, { "vfio-pci", true }, { "e1000", false }, { PINNED_OVERRIDE, false } };
	struct scene scene;

	begin(&scene);
	*host_device(&scene.host, DISK) = vfio_device_of(DISK, 6);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct asked disk = { .id = ONE, .uid = 1000 };
		struct plan plan;

		strcpy(host_device(&scene.host, DISK)->driver_override, cases[i].override);
		add(&scene, &disk, DISK, false);
		if (!ledger_find(scene.given, ONE))
			take(&scene, &disk);
		plan = release_of(&disk, 1, false);
		assert_int_equal(matches(&scene, &disk, &plan, false), cases[i].right);
		plan_done(&plan);
	}
	end(&scene);
}

static void test_growing_and_shrinking(void **state)
{
	struct asked card = { .id = ONE, .uid = 1000 }, network = { .id = ONE, .uid = 1000, .grows = true };
	struct scene scene;
	struct plan plan;

	begin(&scene);
	add(&scene, &card, CARD, false);
	add(&scene, &card, NETWORK, true);
	take(&scene, &card);
	host_device(&scene.host, NETWORK)->driver[0] = '\0';
	strcpy(host_device(&scene.host, NETWORK)->driver_override, PINNED_OVERRIDE);
	add(&scene, &network, NETWORK, false);
	/* An addition that fails leaves the member locked out. */
	take(&scene, &network);
	assert_int_equal(scene.change.effect, GIVEN_ADDITION);
	given_settle(scene.given, &scene.change, GIVEN_UNDONE);
	take(&scene, &network);
	/* It is proven in the claim's own iommufd, and stays pinned. */
	plan = release_of(&network, 1, true);
	assert_false(matches(&scene, &network, &plan, false));
	plan_done(&plan);
	plan = release_of(&network, 1, false);
	assert_false(matches(&scene, &network, &plan, true));
	plan_done(&plan);
	/* Not the other one's way, and not a release of all. */
	plan = release_of(&card, 1, false);
	assert_false(matches(&scene, &card, &plan, true));
	plan_done(&plan);
	plan = release_of(&card, 2, false);
	assert_false(matches(&scene, &card, &plan, false));
	plan_done(&plan);
	give_back(&scene, &network, 1, true, GIVEN_REMOVAL);
	/* A crash may come before the broker hears of it: the same once more changes nothing. */
	give_back(&scene, &network, 1, true, GIVEN_REMOVAL);
	give_back(&scene, &card, 2, false, GIVEN_RELEASE);
	assert_int_equal(ledger_count(scene.given), 0);
	end(&scene);
}

/* A release of what a crash kept from being given, or that was given back before one. */
static void test_what_was_never_given(void **state)
{
	struct asked card = { .id = ONE, .uid = 1000 }, disk = { .id = ONE, .uid = 1000 };
	struct scene scene;
	struct plan plan;

	begin(&scene);
	add(&scene, &card, CARD, false);
	add(&scene, &card, NETWORK, true);
	plan = release_of(&card, 2, false);
	assert_true(matches(&scene, &card, &plan, false));
	assert_int_equal(plan.count, 0);
	plan_done(&plan);
	/* Something is on it that a claim would have left there. */
	*host_device(&scene.host, CARD) = vfio_device_of(CARD, 5);
	host_device(&scene.host, CARD)->identity = card.device[0].before.identity;
	plan = release_of(&card, 2, false);
	assert_false(matches(&scene, &card, &plan, false));
	assert_contains(scene.why, "did not deliver " CARD);
	plan_done(&plan);
	/* Another device under that name is none of its business; nor is one that is gone. */
	host_device(&scene.host, CARD)->identity++;
	plan = release_of(&card, 2, false);
	assert_true(matches(&scene, &card, &plan, false));
	assert_int_equal(plan.count, 0);
	plan_done(&plan);
	/* A reset alone, of what nobody has. */
	plan = (struct plan){ .step = NULL };
	add(&scene, &disk, DISK, false);
	assert_int_equal(plan_add(&plan, &(struct step){ .kind = STEP_RESET,
							 .device = DISK,
							 .number = RESET_REQUIRE,
							 .identity = disk.device[0].before.identity }),
			 0);
	assert_false(matches(&scene, &disk, &plan, false));
	plan_done(&plan);
	/* What is another claim's stays there. */
	take(&scene, &disk);
	disk.id = TWO;
	plan = release_of(&disk, 1, false);
	assert_false(matches(&scene, &disk, &plan, false));
	plan_done(&plan);
	end(&scene);
}

/* Whose a claim was, and by which rule: what records and stops are held against. */
static void test_what_is_said_of_it(void **state)
{
	const char devices[2][DEVICE_NAME_MAX] = { CARD, DISK };
	struct asked card = { .id = ONE, .uid = 1000 };
	struct scene scene;

	begin(&scene);
	add(&scene, &card, CARD, false);
	add(&scene, &card, NETWORK, true);
	take(&scene, &card);
	assert_true(given_may_be_of(scene.given, ONE, 1000));
	assert_false(given_may_be_of(scene.given, ONE, 1001));
	assert_true(given_may_be_of(scene.given, TWO, 1001));
	assert_true(given_may_be_of(scene.given, "", 1001));
	assert_true(given_by_rule(scene.given, devices, 1, "r"));
	assert_false(given_by_rule(scene.given, devices, 1, "another"));
	assert_false(given_by_rule(scene.given, devices, 2, "r"));
	assert_false(given_by_rule(scene.given, &devices[1], 1, "r"));
	assert_false(given_by_rule(scene.given, devices, 0, "r"));
	end(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_given_twice),  cmocka_unit_test(test_members_that_no_step_is_about),
		cmocka_unit_test(test_what_a_claim_may_not_be), cmocka_unit_test(test_every_change_of_a_release),
		cmocka_unit_test(test_what_was_there_before),   cmocka_unit_test(test_what_was_on_vfio_before),
		cmocka_unit_test(test_growing_and_shrinking),   cmocka_unit_test(test_what_was_never_given),
		cmocka_unit_test(test_what_is_said_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
