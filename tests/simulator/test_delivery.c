/* Devices that the simulator delivers by groups and by nodes: faults at every step, who may open what, who holds it. */
#include "fixture.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include <cmocka.h>

enum { ALICE = 1000, BOB = 1001 };

static struct fixture fixture;

static int start_on(const char *kernel, struct delivery delivery)
{
	fixture_begin_on(&fixture, kernel);
	fixture.delivery = delivery;
	fixture_start(&fixture);
	return 0;
}

#define GROUPS_ONLY "'kernel': { 'iommufd': false, 'vfio_cdev': false }, "

static int start_group(void **state)
{
	return start_on(GROUPS_ONLY, (struct delivery){ .interface = INTERFACE_GROUP });
}

static int start_node(void **state)
{
	return start_on("", (struct delivery){ .mode = MODE_NODE, .groups = true, .uid = ALICE });
}

static int start_group_node(void **state)
{
	return start_on(GROUPS_ONLY,
			(struct delivery){ .mode = MODE_NODE, .interface = INTERFACE_GROUP, .uid = ALICE });
}

static int stop(void **state)
{
	assert_int_equal(side_stop(&fixture.side), 0);
	fixture_end(&fixture);
	return 0;
}

/* Everything that can be seen of the simulated host, as text; the caller frees it. */
static char *state_now(void)
{
	struct json_object *answer = command(&fixture, "{ 'state': true }");
	char *text = strdup(json_object_to_json_string(answer));

	json_object_put(answer);
	return text;
}

/* A member of the state, as text; the caller frees it. */
static char *state_of(const char *key)
{
	struct json_object *answer = command(&fixture, "{ 'state': true }"), *member;
	char *text;

	assert_true(json_object_object_get_ex(answer, key, &member));
	text = strdup(json_object_to_json_string_ext(member, JSON_C_TO_STRING_PLAIN));
	json_object_put(answer);
	return text;
}

static void assert_state(const char *key, const char *expected)
{
	char *text = state_of(key);

	assert_string_equal(text, expected);
	free(text);
}

static void fail_once(size_t after)
{
	char text[128];

	snprintf(text, sizeof(text), "{ 'fail': { 'after': %zu, 'times': 1, 'errno': 'EXDEV' } }", after);
	command_ok(&fixture, text);
}

/* SR-32: every prefix of a claim is undone, whichever way it delivers: FDs and rights are gone, too. */
static void test_a_claim_that_fails_at_any_step_is_undone(void **state)
{
	char *before = state_now(), *after;
	struct plan plan = claim_plan(&fixture, CARD, SIBLING);

	for (size_t i = 0; i < plan.count; i++) {
		struct result result;

		/* The container's entry stays: another claim of that user may need it, and alone it gives nothing. */
		if (plan.step[i].kind == STEP_GRANT && *plan.step[i].device)
			break;
		fail_once(i);
		result = run_claim_plan(&fixture, &plan);
		assert_int_equal(result.wire.outcome, WIRE_OUTCOME_UNDONE);
		assert_int_equal(result.wire.step, i);
		assert_int_equal(result.wire.error, EXDEV);
		assert_int_equal(result.fds.count, 0);
		after = state_now();
		assert_string_equal(after, before);
		free(after);
	}
	plan_done(&plan);
	free(before);
}

/* Each step of a release fails in turn; the same release, repeated, gets everything back. */
static void test_a_release_that_fails_at_any_step_can_be_repeated(void **state)
{
	char *before = state_now(), *after;
	struct device card = known(&fixture, CARD), sibling = known(&fixture, SIBLING);
	struct claim_device devices[] = { { .before = card } };
	struct plan plan = claim_plan(&fixture, CARD, SIBLING), release = { .count = 0 };
	struct plan proofs = release_plan(&fixture, &card, &sibling);

	if (fixture.delivery.mode == MODE_NODE)
		assert_int_equal(plan_for_revocation(&release, devices, 1, ALICE, true), 0);
	for (size_t i = 0; i < proofs.count; i++)
		assert_int_equal(plan_add(&release, &proofs.step[i]), 0);
	for (size_t i = 0; i < release.count; i++) {
		struct result result = run_claim_plan(&fixture, &plan);

		assert_int_equal(result.wire.outcome, WIRE_OUTCOME_DONE);
		descriptors_close(&result.fds);
		fail_once(i);
		result = run_release_plan(&fixture, &release);
		assert_int_not_equal(result.wire.outcome, WIRE_OUTCOME_DONE);
		assert_int_equal(result.wire.step, i);
		result = run_release_plan(&fixture, &release);
		assert_int_equal(result.wire.outcome, WIRE_OUTCOME_DONE);
		after = state_now();
		assert_string_equal(after, before);
		free(after);
	}
	plan_done(&plan);
	plan_done(&proofs);
	plan_done(&release);
	free(before);
}

/* The FDs come in the order of the wire: container, groups, devices; and each keeps what the kernel has it keep. */
static void test_what_a_claim_by_group_gives(void **state)
{
	struct device card = known(&fixture, CARD), sibling = known(&fixture, SIBLING);
	struct plan plan = claim_plan(&fixture, CARD, SIBLING), release = release_plan(&fixture, &card, &sibling);
	struct result held = run_claim_plan(&fixture, &plan), result;

	assert_int_equal(held.wire.outcome, WIRE_OUTCOME_DONE);
	assert_int_equal(held.wire.contexts, 1);
	assert_int_equal(held.wire.groups, 1);
	assert_int_equal(held.wire.devices, 1);
	assert_int_equal(held.fds.count, 3);
	assert_state("groups", "{\"1\":1}");
	assert_state("contexts", "1");
	/* The group alone holds it, and so does the device; the container does not. */
	descriptor_close(&held.fds.fd[2]);
	assert_state("groups", "{\"1\":0}");
	result = run_release_plan(&fixture, &release);
	assert_int_equal(result.wire.outcome, WIRE_OUTCOME_HELD);
	assert_int_equal(result.wire.kind, STEP_PROVE_NO_HOLDER);
	assert_int_equal(result.wire.pid, getpid());
	descriptors_close(&result.fds);
	descriptor_close(&held.fds.fd[1]);
	result = run_release_plan(&fixture, &release);
	assert_int_equal(result.wire.outcome, WIRE_OUTCOME_DONE);
	descriptors_close(&held.fds);
	plan_done(&plan);
	plan_done(&release);
}

/* What was opened by a group shows no device in /proc: the group that can't be opened tells of it. */
static void test_a_device_without_its_group_has_no_known_holder(void **state)
{
	struct device card = known(&fixture, CARD), sibling = known(&fixture, SIBLING);
	struct plan plan = claim_plan(&fixture, CARD, SIBLING), release = release_plan(&fixture, &card, &sibling);
	struct result held = run_claim_plan(&fixture, &plan), result;

	assert_int_equal(held.wire.outcome, WIRE_OUTCOME_DONE);
	descriptor_close(&held.fds.fd[1]);
	result = run_release_plan(&fixture, &release);
	assert_int_equal(result.wire.outcome, WIRE_OUTCOME_HELD);
	assert_int_equal(result.wire.kind, STEP_PROVE_GROUP_FREE);
	assert_int_equal(result.wire.error, EBUSY);
	assert_int_equal(result.wire.pid, 0);
	descriptors_close(&held.fds);
	result = run_release_plan(&fixture, &release);
	assert_int_equal(result.wire.outcome, WIRE_OUTCOME_DONE);
	plan_done(&plan);
	plan_done(&release);
}

/* The context comes back with the news that somebody holds a device, before his pidfd. */
static void test_the_context_comes_back_from_a_release_that_is_held(void **state)
{
	struct device card = known(&fixture, CARD), sibling = known(&fixture, SIBLING);
	struct plan plan = claim_plan(&fixture, CARD, SIBLING), unmapping = { .count = 0 };
	struct plan release = release_plan(&fixture, &card, &sibling);
	struct result held = run_claim_plan(&fixture, &plan), result;
	struct wire_enclosure enclosure = { .context = held.fds.fd[0], .peer_fd = -1 };

	assert_int_equal(plan_for_unmapping(&unmapping, 0), 0);
	fixture_own(&release, &enclosure);
	for (int round = 1; round <= 2; round++) {
		char count[8];

		result = side_await_result(&fixture.side, side_send_plan(&fixture.side, WIRE_PLAN_RELEASE,
									 fixture.digest, &unmapping, &enclosure));
		assert_int_equal(result.wire.outcome, WIRE_OUTCOME_DONE);
		result = side_await_result(&fixture.side, side_send_plan(&fixture.side, WIRE_PLAN_RELEASE,
									 fixture.digest, &release, &enclosure));
		assert_int_equal(result.wire.outcome, WIRE_OUTCOME_HELD);
		assert_int_equal(result.wire.contexts, 1);
		assert_int_equal(result.fds.count, 2);
		/* What came back is as good as what went. */
		descriptor_close(&held.fds.fd[0]);
		held.fds.fd[0] = enclosure.context = descriptors_take(&result.fds, 0);
		descriptors_close(&result.fds);
		snprintf(count, sizeof(count), "%d", round);
		assert_state("unmapped", count);
		assert_state("contexts", "1");
	}
	descriptors_close(&held.fds);
	assert_state("contexts", "0");
	result = run_release_plan(&fixture, &release);
	assert_int_equal(result.wire.outcome, WIRE_OUTCOME_DONE);
	plan_done(&plan);
	plan_done(&unmapping);
	plan_done(&release);
}

/* Opens a device by its path; returns the pidfd of the process that has it. */
static int open_node(const char *text)
{
	struct json_object *answer = command(&fixture, text), *pid;
	int pidfd;

	if (!json_object_object_get_ex(answer, "pid", &pid))
		fail_msg("%s: %s", text, json_object_to_json_string(answer));
	pidfd = pidfd_open(json_object_get_int(pid), 0);
	assert_true(pidfd >= 0);
	json_object_put(answer);
	return pidfd;
}

static void end(int pidfd)
{
	struct pollfd process = { .fd = pidfd, .events = POLLIN };

	assert_int_equal(pidfd_send_signal(pidfd, SIGKILL, NULL, 0), 0);
	assert_int_equal(poll(&process, 1, 60000), 1);
	close(pidfd);
}

#define OPEN_AS_ALICE "{ 'open_node': { 'device': '" CARD "', 'uid': 1000 } }"
#define OPEN_AS_BOB "{ 'open_node': { 'device': '" CARD "', 'uid': 1001 } }"

/* Who got the nodes opens them by path, nobody else; and goes on holding what was opened when the right is gone. */
static void test_nodes_are_for_one_user(void **state)
{
	struct device card = known(&fixture, CARD), sibling = known(&fixture, SIBLING);
	struct claim_device devices[] = { { .before = card } };
	struct plan plan = claim_plan(&fixture, CARD, SIBLING), release = release_plan(&fixture, &card, &sibling);
	struct plan revocation = { .count = 0 };
	struct result result;
	int pidfd;

	command_refused(&fixture, OPEN_AS_ALICE, "No such file");
	result = run_claim_plan(&fixture, &plan);
	assert_int_equal(result.wire.outcome, WIRE_OUTCOME_DONE);
	assert_int_equal(result.wire.groups + result.wire.devices, 0);
	descriptors_close(&result.fds);
	assert_state("acls", "{\"\":[1000],\"" CARD "\":[1000]}");
	command_refused(&fixture, OPEN_AS_BOB, "Permission denied");
	pidfd = open_node(OPEN_AS_ALICE);
	result = run_release_plan(&fixture, &release);
	assert_int_equal(result.wire.outcome, WIRE_OUTCOME_HELD);
	assert_string_equal(result.wire.holder, "node-opener");
	descriptors_close(&result.fds);
	assert_int_equal(plan_for_revocation(&revocation, devices, 1, ALICE, true), 0);
	result = run_release_plan(&fixture, &revocation);
	assert_int_equal(result.wire.outcome, WIRE_OUTCOME_DONE);
	assert_state("acls", "{}");
	/* Nobody's second time is no mistake. */
	result = run_release_plan(&fixture, &revocation);
	assert_int_equal(result.wire.outcome, WIRE_OUTCOME_DONE);
	command_refused(&fixture, OPEN_AS_ALICE, "Permission denied");
	result = run_release_plan(&fixture, &release);
	assert_int_equal(result.wire.outcome, WIRE_OUTCOME_HELD);
	descriptors_close(&result.fds);
	end(pidfd);
	result = run_release_plan(&fixture, &release);
	assert_int_equal(result.wire.outcome, WIRE_OUTCOME_DONE);
	plan_done(&plan);
	plan_done(&release);
	plan_done(&revocation);
}

/* A claim that ends badly takes back the rights that it gave. */
static void test_rights_are_undone(void **state)
{
	struct plan plan;
	struct result result;
	struct wire_enclosure enclosure = { .context = -1, .peer = getpid() };

	fixture.delivery.memlock = 4096;
	plan = claim_plan(&fixture, CARD, SIBLING);
	enclosure.peer_fd = pidfd_open(getpid(), 0);
	fixture_own(&plan, &enclosure);
	enclosure.owner.subject.uid = fixture.delivery.uid;
	result = side_await_result(&fixture.side,
				   side_send_plan(&fixture.side, WIRE_PLAN_CLAIM, fixture.digest, &plan, &enclosure));
	assert_int_equal(result.wire.outcome, WIRE_OUTCOME_UNDONE);
	assert_int_equal(result.wire.kind, STEP_MEMLOCK);
	assert_int_equal(result.wire.error, EPERM);
	assert_non_null(strstr(result.wire.text, "runs as another user"));
	assert_state("acls", "{\"\":[1000]}");
	close(enclosure.peer_fd);
	plan_done(&plan);
}

static void test_commands_that_are_wrong(void **state)
{
	command_refused(&fixture, "{ 'open_node': { 'device': '" CARD "' } }", "missing key uid");
	command_refused(&fixture, "{ 'open_node': { 'device': '0000:00:09.0', 'uid': 0 } }", "there is no device");
	command_refused(&fixture, "{ 'open_node': { 'device': '" CARD "', 'uid': -1 } }", "an integer from 0");
}

#define ON(kernel, test) \
	{ \
#test " on " #kernel, test, start_##kernel, stop, NULL \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(group, test_a_claim_that_fails_at_any_step_is_undone),
		ON(node, test_a_claim_that_fails_at_any_step_is_undone),
		ON(group_node, test_a_claim_that_fails_at_any_step_is_undone),
		ON(group, test_a_release_that_fails_at_any_step_can_be_repeated),
		ON(node, test_a_release_that_fails_at_any_step_can_be_repeated),
		ON(group_node, test_a_release_that_fails_at_any_step_can_be_repeated),
		ON(group, test_what_a_claim_by_group_gives),
		ON(group, test_a_device_without_its_group_has_no_known_holder),
		ON(group, test_the_context_comes_back_from_a_release_that_is_held),
		ON(node, test_nodes_are_for_one_user),
		ON(group_node, test_nodes_are_for_one_user),
		ON(node, test_rights_are_undone),
		ON(group_node, test_rights_are_undone),
		ON(node, test_commands_that_are_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
