/*
 * The decision against its slow reference, on generated policies, hosts, claims and requests: verdict, status,
 * lockouts, blockers and chosen devices agree. The seed of a case that does not is printed.
 */
#include "reference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POLICIES = 5000, CASES_OF_A_POLICY = 20 };

static const char *const addresses[] = { "0000:00:01.0",  "0000:00:02.0", "0000:01:00.0", "0000:01:00.1",
					 "0000:01:00.2",  "0000:02:00.0", "0000:02:00.1", "0000:03:00.0",
					 "0000:03:00.1",  "0000:04:00.0", "0001:01:00.0", "0001:02:00.0",
					 "10000:01:00.0", "10000:02:00.0" };
static const char *const drivers[] = { "", "", "e1000", "nvme", "e1000e" };
static const char *const ids[] = { "8086:100e", "8086:10ca", "1234:11e8" };
static const uint32_t classes[] = { 0x020000, 0x010802, 0x030000, 0x00ff00 };
static const char *const units[] = { "", "vm@1.service", "vm@2.service", "sshd.service" };

static uint32_t pick(struct dice *dice, uint32_t limit)
{
	return dice_roll(dice, limit);
}

static bool chance(struct dice *dice, uint32_t percent)
{
	return dice_roll(dice, 100) < percent;
}

__attribute__((format(printf, 2, 3))) static void add(char *text, const char *format, ...)
{
	size_t length = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	assert_true(vsnprintf(text + length, 16384 - length, format, arguments) < (int)(16384 - length));
	va_end(arguments);
}

/* A list of one to three of the texts, as JSON. */
static void add_list(struct dice *dice, char *text, const char *key, const char *const *from, uint32_t count)
{
	add(text, "\"%s\": [\"%s\"", key, from[pick(dice, count)]);
	for (unsigned i = pick(dice, 3); i > 0; i--)
		add(text, ", \"%s\"", from[pick(dice, count)]);
	add(text, "]");
}

static void add_selector(struct dice *dice, char *text, bool pools)
{
	static const char *const globs[] = {
		"*",         "0000:*", "0000:0[1-2]:*", "0000:0?:00.0",  "0000:01:00.0", "0000:01:00.1",
		"0000:02:*", "*.0",    "0001:*",        "10000:01:00.0", "0000:03:00.0", "[!0]*"
	};
	static const char *const id_globs[] = { "8086:*", "8086:10ca", "1234:11e8", "*:100e", "8086:10?[ae]" };
	static const char *const class_globs[] = { "02", "0200", "010802", "03*", "0?0000", "00" };
	static const char *const driver_globs[] = { "", "e1000", "e1000*", "nvme", "*" };
	static const char *const parents[] = { "0000:00:01.0", "0000:00:*", "0000:00:02.0", "*" };
	static const char *const names[] = { "p", "q" };
	unsigned lists = 1 + pick(dice, 2);
	bool used[8] = { false };

	add(text, "{");
	for (unsigned i = 0; i < lists; i++) {
		unsigned which = pick(dice, pools ? 8 : 7);

		if (used[which])
			continue;
		add(text, "%s", i > 0 ? ", " : "");
		used[which] = true;
		if (which <= 1) {
			used[0] = used[1] = true;
			add_list(dice, text, pick(dice, 3) ? "address" : "name", globs, COUNT(globs));
		} else if (which == 2) {
			add_list(dice, text, "id", id_globs, COUNT(id_globs));
		} else if (which == 3) {
			add_list(dice, text, "class", class_globs, COUNT(class_globs));
		} else if (which == 4) {
			add_list(dice, text, "driver", driver_globs, COUNT(driver_globs));
		} else if (which == 5) {
			add(text, "\"numa_node\": [%u]", pick(dice, 2));
		} else if (which == 6) {
			add_list(dice, text, "parent", parents, COUNT(parents));
		} else {
			add_list(dice, text, "pool", names, COUNT(names));
		}
	}
	add(text, "}");
}

static void add_subject(struct dice *dice, char *text)
{
	static const char *const users[] = { "alice", "bob" }, *const groups[] = { "kvm", "students" };
	static const char *const unit_globs[] = { "vm@*.service", "vm@1.service", "*" };

	if (chance(dice, 40))
		return;
	add(text, ", \"subject\": {");
	switch (pick(dice, 4)) {
	case 0:
		add_list(dice, text, "group", groups, COUNT(groups));
		break;
	case 1:
		add_list(dice, text, "unit", unit_globs, COUNT(unit_globs));
		break;
	case 2:
		add_list(dice, text, "user", users, COUNT(users));
		add(text, ", ");
		add_list(dice, text, "group", groups, COUNT(groups));
		break;
	default:
		add_list(dice, text, "user", users, COUNT(users));
	}
	add(text, "}");
}

static void add_rule(struct dice *dice, char *text, unsigned number)
{
	static const char *const modes[] = { "\"attached\"", "\"open\"", "[\"attached\", \"open\"]" };
	static const char *const resets[] = { "require", "try", "skip" };

	add(text, "%s{\"name\": \"r%u\", \"device\": ", number > 0 ? ", " : "", number);
	add_selector(dice, text, true);
	add_subject(dice, text);
	if (chance(dice, 25)) {
		add(text, ", \"effect\": \"deny\"}");
		return;
	}
	add(text, ", \"effect\": \"allow\", \"modes\": %s", modes[pick(dice, COUNT(modes))]);
	if (chance(dice, 60))
		add(text, ", \"lockout\": \"unused\"");
	else if (chance(dice, 50)) {
		add(text, ", \"lockout\": {");
		add_list(dice, text, "named", addresses, COUNT(addresses));
		add(text, "}");
	}
	if (chance(dice, 70))
		add(text, ", \"reset\": \"%s\"", resets[pick(dice, COUNT(resets))]);
	if (chance(dice, 20))
		add(text, ", \"in_use\": \"take\"");
	if (chance(dice, 30))
		add(text, ", \"limits\": {\"devices\": %u, \"devices_total\": %u}", 1 + pick(dice, 3),
		    1 + pick(dice, 4));
	add(text, "}");
}

/* A policy without errors. */
static struct policy *generate_policy(struct dice *dice)
{
	static char text[16384];
	struct policy *policy = NULL;

	while (!policy) {
		struct policy_source source = { .path = "generated.json", .text = text };
		struct diagnostics diagnostics = { .item = NULL };

		text[0] = '\0';
		add(text, "{\"rules\": [");
		for (unsigned i = 0, count = pick(dice, 6); i < count; i++)
			add_rule(dice, text, i);
		add(text, "], \"pools\": {\"p\": [");
		add_selector(dice, text, false);
		add(text, ", ");
		add_selector(dice, text, false);
		add(text, "], \"q\": [");
		add_selector(dice, text, false);
		add(text, "]}, \"never\": [");
		if (chance(dice, 30))
			add_selector(dice, text, true);
		add(text, "]");
		if (chance(dice, 20))
			add(text, ", \"user_limits\": {\"devices\": %u}", 1 + pick(dice, 4));
		add(text, "}");
		source.length = strlen(text);
		if (policy_parse(&source, 1, &test_names, &diagnostics, &policy) < 0)
			for (size_t i = 0; i < diagnostics.count; i++)
				if (diagnostics.item[i].error)
					assert_contains(diagnostics.item[i].message, "as its lockout");
		diagnostics_done(&diagnostics);
	}
	return policy;
}

static void generate_device(struct dice *dice, const char *name, struct device *out)
{
	unsigned vendor, number;

	*out = device_of(name, (int32_t)pick(dice, 6) - (chance(dice, 10) ? 6 : 0),
			 drivers[pick(dice, COUNT(drivers))]);
	if (out->group < -1)
		out->group = -1;
	sscanf(ids[pick(dice, COUNT(ids))], "%x:%x", &vendor, &number);
	out->pci.vendor = (uint16_t)vendor;
	out->pci.device = (uint16_t)number;
	out->pci.class_code = classes[pick(dice, COUNT(classes))];
	out->numa_node = (int32_t)pick(dice, 3) - 1;
	out->pci.bridge = chance(dice, 10);
	out->driver_fixed = chance(dice, 8);
	if (chance(dice, 20))
		out->pci.reset_methods = 0;
	if (chance(dice, 15) && out->driver[0])
		strcpy(out->vfio_node, "vfio3");
	if (chance(dice, 60))
		strcpy(out->parent, addresses[pick(dice, 2)]);
	else if (chance(dice, 30))
		strcpy(out->parent, addresses[pick(dice, COUNT(addresses))]);
	/* A bridge above itself would have the reference walk for ever. */
	if (strcmp(out->parent, name) >= 0)
		out->parent[0] = '\0';
}

static void generate_claims(struct dice *dice, struct world *world)
{
	static const char *const ids_of_claims[WORLD_CLAIMS] = { "c0", "c1", "c2", "c3" };
	static const char *const rules[] = { "r0", "r1", "r2" };
	bool taken[WORLD_DEVICES] = { false };

	world->claim_count = pick(dice, WORLD_CLAIMS);
	for (size_t i = 0; i < world->claim_count; i++) {
		struct world_claim *claim = &world->claim[i];

		*claim = (struct world_claim){ .id = ids_of_claims[i],
					       .rule = rules[pick(dice, COUNT(rules))],
					       .uid = 1000 + pick(dice, 2),
					       .mode = (enum delivery_mode)pick(dice, 2) };
		for (unsigned k = 1 + pick(dice, 3); k > 0; k--) {
			size_t device = pick(dice, (uint32_t)world->device_count);

			if (taken[device])
				continue;
			taken[device] = true;
			claim->entry[claim->count].device = device;
			claim->entry[claim->count++].lockout = chance(dice, 30);
		}
	}
}

static void generate_world(struct dice *dice, struct world *world)
{
	world->device_count = 0;
	for (size_t i = 0; i < COUNT(addresses); i++)
		if (world->device_count == 0 || chance(dice, 75))
			generate_device(dice, addresses[i], &world->device[world->device_count++]);
	world->use_count = pick(dice, 5);
	for (size_t i = 0; i < world->use_count; i++) {
		struct use *use = &world->use[i];

		*use = (struct use){ .kind = pick(dice, USE_HOLDER + 1), .severity = pick(dice, SEVERITY_COUNT) };
		strcpy(use->device, world->device[pick(dice, (uint32_t)world->device_count)].name);
		strcpy(use->text, "something");
	}
	generate_claims(dice, world);
}

static void generate_request(struct dice *dice, const struct world *world, struct subject *subject,
			     struct world_request *out)
{
	static const char *const pools[] = { "pool:p", "pool:q", "pool:none" };

	*subject = subject_of(1000 + pick(dice, 2));
	subject->group_count = pick(dice, 2);
	subject->groups[0] = chance(dice, 50) ? 36 : 300;
	strcpy(subject->unit, units[pick(dice, COUNT(units))]);
	*out = (struct world_request){ .subject = subject,
				       .numa_node = (int32_t)pick(dice, 3) - 1,
				       .mode = (enum delivery_mode)pick(dice, 2),
				       .count = 1 + pick(dice, 4) };
	for (size_t i = 0; i < out->count; i++) {
		if (chance(dice, 25))
			out->text[i] = pools[chance(dice, 5) ? 2 : pick(dice, 2)];
		else if (chance(dice, 3))
			out->text[i] = "0000:09:00.0";
		else
			out->text[i] = world->device[pick(dice, (uint32_t)world->device_count)].name;
	}
	if (world->claim_count > 0 && chance(dice, 20))
		out->claim = &world->claim[pick(dice, (uint32_t)world->claim_count)];
}

/* The world as the core takes it. */
static void build(const struct world *world, struct host *host)
{
	host_init(host);
	for (size_t i = 0; i < world->device_count; i++)
		host_add(host, &world->device[i]);
	for (size_t i = 0; i < world->use_count; i++)
		assert_int_equal(uses_add(&host->uses, &world->use[i]), 0);
	for (size_t i = 0; i < world->claim_count; i++) {
		const struct world_claim *from = &world->claim[i];
		struct claim made = { .uid = from->uid, .mode = from->mode, .state = CLAIM_HELD }, *claim;

		strcpy(made.id, from->id);
		strcpy(made.rule, from->rule);
		assert_int_equal(ledger_add(host->ledger, &made, &claim), 0);
		for (size_t k = 0; k < from->count; k++)
			host_claim_more(host, claim, world->device[from->entry[k].device].name, from->entry[k].lockout);
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void compare_lists(char (*ours)[192], size_t count, char (*theirs)[192], size_t their_count, const char *what,
			  unsigned seed)
{
	bool same = count == their_count;

	qsort(ours, count, sizeof *ours, by_text);
	qsort(theirs, their_count, sizeof *theirs, by_text);
	for (size_t i = 0; same && i < count; i++)
		same = strcmp(ours[i], theirs[i]) == 0;
	if (same)
		return;
	for (size_t i = 0; i < count; i++)
		print_error("decided: %s\n", ours[i]);
	for (size_t i = 0; i < their_count; i++)
		print_error("reference: %s\n", theirs[i]);
	fail_msg("%s, seed %u", what, seed);
}

static void compare(const struct decision *decision, struct reference_answer *answer, unsigned seed)
{
	static char lines[ANSWER_MAX][192];

	if (decision->allowed != answer->allowed || decision->status != answer->status)
		print_error("seed %u: %d %d, reference %d %d\n", seed, decision->allowed, decision->status,
			    answer->allowed, answer->status);
	for (size_t i = 0; i < decision->blocker_count; i++)
		snprintf(lines[i], sizeof lines[i], "%s %s %s", blocker_kind_to_string(decision->blocker[i].kind),
			 decision->blocker[i].device, decision->blocker[i].member);
	compare_lists(lines, decision->blocker_count, answer->blocker, answer->blocker_count, "blockers", seed);
	for (size_t i = 0; i < decision->lockout_count; i++)
		snprintf(lines[i], sizeof lines[i], "%s %s %d", decision->lockout[i].device,
			 decision->lockout[i].for_device, decision->lockout[i].covered);
	compare_lists(lines, decision->lockout_count, answer->lockout, answer->lockout_count, "lockouts", seed);
	assert_int_equal(decision->allowed, answer->allowed);
	assert_int_equal(decision->status, answer->status);
	assert_int_equal(decision->device_count, answer->device_count);
	for (size_t i = 0; i < answer->device_count; i++)
		assert_string_equal(decision->device[i].device, answer->device[i]);
}

static void test_agreement(void **state)
{
	static struct reference_answer answer;
	static struct world world;
	size_t allowed = 0, kinds[BLOCKER_KIND_COUNT] = { 0 }, chosen = 0;
	struct policy *policy = NULL;

	for (unsigned seed = 1; seed <= POLICIES * CASES_OF_A_POLICY; seed++) {
		struct dice dice = dice_of(seed);
		struct world_request asked;
		struct subject subject;
		struct decision decision;
		struct host host;

		if (seed % CASES_OF_A_POLICY == 1) {
			policy_free(policy);
			policy = generate_policy(&dice);
		}
		generate_world(&dice, &world);
		generate_request(&dice, &world, &subject, &asked);
		build(&world, &host);
		struct request request = {
			.subject = &subject,
			.device = asked.text,
			.device_count = asked.count,
			.mode = asked.mode,
			.numa_node = asked.numa_node,
			.claim = asked.claim ? ledger_find(host.ledger, asked.claim->id) : NULL,
		};

		assert_int_equal(decide(policy, &host.view, &request, &decision), 0);
		reference_decide(policy, &world, &asked, &answer);
		compare(&decision, &answer, seed);
		allowed += decision.allowed;
		chosen += decision.chosen_count;
		for (size_t i = 0; i < decision.blocker_count; i++)
			kinds[decision.blocker[i].kind]++;
		decision_done(&decision);
		host_done(&host);
	}
	policy_free(policy);
	/* The cases are about something. Two policies that differ are none of them: here is one. */
	assert_true(allowed > 1000);
	assert_true(chosen > 10000);
	for (int i = 0; i < BLOCKER_KIND_COUNT; i++)
		if (kinds[i] < 100 && i != BLOCKER_UNKNOWN_CLAIM && i != BLOCKER_KERNEL &&
		    i != BLOCKER_GROUP_TOO_LARGE && i != BLOCKER_POLICY)
			fail_msg("%s came up %zu times", blocker_kind_to_string((enum blocker_kind)i), kinds[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_agreement) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
