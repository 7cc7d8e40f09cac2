/* The simulator as tests use it: faults at every step, hangs, hotplug, uses, and a host that outlives its brokers. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct fixture fixture;

static int start(void **state)
{
	fixture_begin(&fixture);
	fixture_start(&fixture);
	return 0;
}

static int stop(void **state)
{
	assert_int_equal(side_stop(&fixture.side), 0);
	fixture_end(&fixture);
	return 0;
}

static int start_staying(void **state)
{
	fixture_begin(&fixture);
	fixture_start_staying(&fixture);
	fixture_attach(&fixture);
	return 0;
}

static void assert_host_is(const char *expected)
{
	char *now = host_now(&fixture);

	assert_string_equal(now, expected);
	free(now);
}

static void command_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void command_format(const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	command_ok(&fixture, text);
}

/* SR-32: every prefix of a claim is undone. */
static void test_a_claim_that_fails_at_any_step_is_undone(void **state)
{
	char *before = host_now(&fixture);
	struct plan plan = claim_plan(&fixture, CARD, SIBLING);

	for (size_t i = 0; i < plan.count; i++) {
		struct result result;

		command_format("{ 'fail': { 'after': %zu, 'times': 1, 'errno': 'EXDEV' } }", i);
		result = run_claim_plan(&fixture, &plan);
		assert_int_equal(result.wire.outcome, WIRE_OUTCOME_UNDONE);
		assert_int_equal(result.wire.step, i);
		assert_int_equal(result.wire.kind, plan.step[i].kind);
		assert_int_equal(result.wire.error, EXDEV);
		assert_string_equal(result.wire.device, plan.step[i].device);
		assert_int_equal(result.fds.count, 0);
		assert_host_is(before);
	}
	plan_done(&plan);
	free(before);
}

static void test_an_undo_that_fails_is_broken(void **state)
{
	struct plan plan = claim_plan(&fixture, CARD, SIBLING);
	struct result result;

	command_ok(&fixture, "{ 'fail': { 'step': 'attach' } }");
	command_ok(&fixture, "{ 'fail': { 'step': 'unbind', 'device': '" SIBLING "', 'undo': true, 'errno': 5 } }");
	result = run_claim_plan(&fixture, &plan);
	assert_int_equal(result.wire.outcome, WIRE_OUTCOME_BROKEN);
	assert_int_equal(result.wire.kind, STEP_ATTACH);
	assert_non_null(strstr(result.wire.text, SIBLING));
	command_ok(&fixture, "{ 'clear_faults': true }");
	/* All that could be put back was. */
	assert_string_equal(known(&fixture, CARD).driver, "card");
	assert_string_equal(known(&fixture, SIBLING).driver, "");
	command_ok(&fixture, "{ 'bind': { 'device': '" SIBLING "', 'driver': 'e1000' } }");
	plan_done(&plan);
}

/* Each step of a release fails in turn; the same release, repeated, gets everything back. */
static void test_a_release_that_fails_at_any_step_can_be_repeated(void **state)
{
	char *before = host_now(&fixture);
	struct device card = known(&fixture, CARD), sibling = known(&fixture, SIBLING);
	struct plan plan = claim_plan(&fixture, CARD, SIBLING), release = release_plan(&fixture, &card, &sibling);

	for (size_t i = 0; i < release.count; i++) {
		struct result result = run_claim_plan(&fixture, &plan);

		assert_int_equal(result.wire.outcome, WIRE_OUTCOME_DONE);
		descriptors_close(&result.fds);
		command_format("{ 'fail': { 'after': %zu, 'times': 1, 'errno': 'EIO' } }", i);
		result = run_release_plan(&fixture, &release);
		assert_int_equal(result.wire.outcome, release.step[i].kind == STEP_PROVE_NO_HOLDER ? WIRE_OUTCOME_HELD
						      : release.step[i].kind == STEP_RESET ? WIRE_OUTCOME_NO_RESET
											   : WIRE_OUTCOME_BROKEN);
		assert_int_equal(result.wire.step, i);
		assert_int_equal(result.wire.error, EIO);
		result = run_release_plan(&fixture, &release);
		assert_int_equal(result.wire.outcome, WIRE_OUTCOME_DONE);
		assert_host_is(before);
	}
	plan_done(&plan);
	plan_done(&release);
	free(before);
}

/* H-18: whatever hangs, others get their turn; and what hung goes on where it was. */
static void test_a_plan_that_hangs_at_any_step_holds_up_nobody(void **state)
{
	char *before = host_now(&fixture);
	struct device card = known(&fixture, CARD), sibling = known(&fixture, SIBLING), alone = known(&fixture, ALONE);
	struct plan plan = claim_plan(&fixture, CARD, SIBLING), other = claim_plan(&fixture, ALONE, NULL);
	struct plan release = release_plan(&fixture, &card, &sibling);
	struct plan free_other = release_plan(&fixture, &alone, NULL);

	/* One more: the moment before the result. */
	for (size_t i = 0; i <= plan.count; i++) {
		struct result result;
		uint64_t hung;

		command_format("{ 'hang': { 'after': %zu, 'times': 1 } }", i);
		hung = send_claim(&fixture, &plan);
		command_ok(&fixture, "{ 'await': { 'hung': 1 } }");
		result = run_claim_plan(&fixture, &other);
		assert_int_equal(result.wire.outcome, WIRE_OUTCOME_DONE);
		descriptors_close(&result.fds);
		result = run_release_plan(&fixture, &free_other);
		assert_int_equal(result.wire.outcome, WIRE_OUTCOME_DONE);
		command_ok(&fixture, "{ 'unhang': true }");
		result = side_await_result(&fixture.side, hung);
		assert_int_equal(result.wire.outcome, WIRE_OUTCOME_DONE);
		assert_int_equal(result.fds.count, 2);
		descriptors_close(&result.fds);
		result = run_release_plan(&fixture, &release);
		assert_int_equal(result.wire.outcome, WIRE_OUTCOME_DONE);
		assert_host_is(before);
	}
	plan_done(&plan);
	plan_done(&other);
	plan_done(&release);
	plan_done(&free_other);
	free(before);
}

static void test_one_plan_of_a_claim_at_a_time(void **state)
{
	char *before = host_now(&fixture);
	struct device card = known(&fixture, CARD), sibling = known(&fixture, SIBLING);
	struct plan plan = claim_plan(&fixture, CARD, SIBLING), release = release_plan(&fixture, &card, &sibling);
	struct result result;
	uint64_t first;

	command_ok(&fixture, "{ 'hang': { 'step': 'result', 'times': 1 } }");
	first = send_claim(&fixture, &plan);
	command_ok(&fixture, "{ 'await': { 'hung': 1 } }");
	result = run_release_plan(&fixture, &release);
	assert_int_equal(result.wire.outcome, WIRE_OUTCOME_REFUSED);
	assert_non_null(strstr(result.wire.text, "is under way"));
	command_ok(&fixture, "{ 'unhang': true }");
	result = side_await_result(&fixture.side, first);
	assert_int_equal(result.wire.outcome, WIRE_OUTCOME_DONE);
	descriptors_close(&result.fds);
	result = run_release_plan(&fixture, &release);
	assert_int_equal(result.wire.outcome, WIRE_OUTCOME_DONE);
	assert_host_is(before);
	plan_done(&plan);
	plan_done(&release);
	free(before);
}

/* The worker ends at each step of a claim, of its undo and of its release, or before it can answer: a release puts all
 * back. */
static void test_a_worker_that_ends_leaves_what_a_release_puts_back(void **state)
{
	static const char *const ends[] = { "{ 'kill': { 'step': 'result', 'times': 1 } }",
					    "{ 'fail': { 'step': 'result', 'times': 1 } }" };
	struct device card = known(&fixture, CARD), sibling = known(&fixture, SIBLING);
	struct plan plan = claim_plan(&fixture, CARD, SIBLING), release = release_plan(&fixture, &card, &sibling);
	char *before = host_now(&fixture);
	struct result result;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		command_ok(&fixture, ends[i]);
		result = run_claim_plan(&fixture, &plan);
		assert_int_equal(result.wire.outcome, WIRE_OUTCOME_INTERRUPTED);
		assert_int_equal(result.fds.count, 0);
		assert_string_equal(known(&fixture, CARD).driver, "vfio-pci");
		assert_int_equal(run_release_plan(&fixture, &release).wire.outcome, WIRE_OUTCOME_DONE);
		assert_host_is(before);
	}
	for (size_t i = 0; i < plan.count; i++) {
		command_format("{ 'kill': { 'after': %zu, 'times': 1 } }", i);
		assert_int_equal(run_claim_plan(&fixture, &plan).wire.outcome, WIRE_OUTCOME_INTERRUPTED);
		assert_int_equal(run_release_plan(&fixture, &release).wire.outcome, WIRE_OUTCOME_DONE);
		assert_host_is(before);
	}
	for (size_t i = 0; plan.step[i].kind != STEP_CONTEXT; i++) {
		command_ok(&fixture, "{ 'fail': { 'step': 'attach', 'times': 1 } }");
		command_format("{ 'kill': { 'step': '%s', 'device': '%s', 'undo': true, 'times': 1 } }",
			       step_kind_to_string((enum step_kind)plan.step[i].kind), plan.step[i].device);
		assert_int_equal(run_claim_plan(&fixture, &plan).wire.outcome, WIRE_OUTCOME_INTERRUPTED);
		assert_int_equal(run_release_plan(&fixture, &release).wire.outcome, WIRE_OUTCOME_DONE);
		assert_host_is(before);
	}
	for (size_t i = 0; i <= release.count; i++) {
		result = run_claim_plan(&fixture, &plan);
		assert_int_equal(result.wire.outcome, WIRE_OUTCOME_DONE);
		descriptors_close(&result.fds);
		command_format("{ 'kill': { 'after': %zu, 'times': 1 } }", i);
		assert_int_equal(run_release_plan(&fixture, &release).wire.outcome, WIRE_OUTCOME_INTERRUPTED);
		assert_int_equal(run_release_plan(&fixture, &release).wire.outcome, WIRE_OUTCOME_DONE);
		assert_host_is(before);
	}
	command_refused(&fixture, "{ 'kill': { 'errno': 5 } }", "errno");
	plan_done(&plan);
	plan_done(&release);
	free(before);
}

#define NEW_CARD "'name': '0000:00:03.0', 'vendor_id': '1234', 'device_id': '11e8', 'class': '00ff00', 'group': 3"

static void survey(const char *name)
{
	assert_int_equal(side_survey(&fixture.side, &name, 1), 0);
}

static void test_devices_come_and_go(void **state)
{
	struct device first;

	command_ok(&fixture, "{ 'add': { " NEW_CARD " } }");
	survey("0000:00:03.0");
	first = known(&fixture, "0000:00:03.0");
	command_refused(&fixture, "{ 'add': { " NEW_CARD " } }", "duplicate device 0000:00:03.0");
	command_ok(&fixture, "{ 'remove': '0000:00:03.0' }");
	survey("0000:00:03.0");
	assert_string_equal(fixture.side.unknown, "0000:00:03.0");
	command_ok(&fixture, "{ 'add': { " NEW_CARD " } }");
	survey("0000:00:03.0");
	assert_int_not_equal(known(&fixture, "0000:00:03.0").identity, first.identity);
	command_refused(&fixture, "{ 'remove': '" BRIDGE "' }", "Directory not empty");
}

/* H-21: what is unplugged while it is held loses its node at once, and is gone with the last close. */
static void test_a_device_is_unplugged_while_it_is_held(void **state)
{
	struct plan plan = claim_plan(&fixture, ALONE, NULL);
	struct device before = known(&fixture, ALONE);
	struct result result = run_claim_plan(&fixture, &plan);
	struct plan release;

	command_ok(&fixture, "{ 'remove': '" ALONE "' }");
	survey(ALONE);
	assert_string_equal(known(&fixture, ALONE).vfio_node, "");
	assert_string_equal(known(&fixture, ALONE).driver, "vfio-pci");
	descriptors_close(&result.fds);
	/* The release waits for nothing: the device is gone, or about to go. */
	release = release_plan(&fixture, &before, NULL);
	result = run_release_plan(&fixture, &release);
	assert_int_equal(result.wire.outcome, WIRE_OUTCOME_DONE);
	survey(ALONE);
	assert_string_equal(fixture.side.unknown, ALONE);
	plan_done(&plan);
	plan_done(&release);
}

static void test_a_device_is_unplugged_in_the_middle_of_a_claim(void **state)
{
	struct plan plan = claim_plan(&fixture, ALONE, NULL);
	struct result result;
	uint64_t id;

	command_ok(&fixture, "{ 'hang': { 'step': 'open' } }");
	id = send_claim(&fixture, &plan);
	command_ok(&fixture, "{ 'await': { 'hung': 1 } }");
	command_ok(&fixture, "{ 'remove': '" ALONE "' }");
	command_ok(&fixture, "{ 'unhang': true }");
	result = side_await_result(&fixture.side, id);
	assert_int_equal(result.wire.outcome, WIRE_OUTCOME_UNDONE);
	assert_int_equal(result.wire.kind, STEP_OPEN);
	assert_int_equal(result.wire.error, ENODEV);
	plan_done(&plan);
}

static void test_uses_come_and_go(void **state)
{
	struct plan plan;
	struct result result;

	survey(SIBLING);
	assert_int_equal(fixture.side.uses.count, 1);
	command_ok(&fixture, "{ 'use': { 'device': '" SIBLING "', 'kind': 'network-link', 'severity': 'fatal',"
			     "           'text': 'eth0 > default route' } }");
	survey(SIBLING);
	assert_int_equal(fixture.side.uses.count, 2);
	assert_string_equal(fixture.side.uses.use[1].text, "eth0 > default route");
	/* The executor's own check sees it, whatever the broker has decided. */
	plan = claim_plan(&fixture, CARD, SIBLING);
	result = run_claim_plan(&fixture, &plan);
	assert_int_equal(result.wire.outcome, WIRE_OUTCOME_REFUSED);
	assert_non_null(strstr(result.wire.text, "default route"));
	plan_done(&plan);
	/* It was the driver's: without the driver there is none. */
	command_ok(&fixture, "{ 'unbind': '" SIBLING "' }");
	survey(SIBLING);
	assert_int_equal(fixture.side.uses.count, 0);
	command_ok(&fixture, "{ 'bind': { 'device': '" SIBLING "', 'driver': 'e1000' } }");
	command_ok(&fixture, "{ 'clear_uses': '" SIBLING "' }");
	survey(SIBLING);
	assert_int_equal(fixture.side.uses.count, 1);
}

static void test_root_goes_round_it(void **state)
{
	struct plan plan = claim_plan(&fixture, CARD, SIBLING);
	struct result result;

	command_ok(&fixture, "{ 'override': { 'device': '" SIBLING "', 'driver': 'pci-stub' } }");
	result = run_claim_plan(&fixture, &plan);
	assert_int_equal(result.wire.outcome, WIRE_OUTCOME_REFUSED);
	command_refused(&fixture, "{ 'bind': { 'device': '" SIBLING "', 'driver': 'nvme' } }", "No such device");
	command_ok(&fixture, "{ 'override': { 'device': '" SIBLING "', 'driver': null } }");
	result = run_claim_plan(&fixture, &plan);
	assert_int_equal(result.wire.outcome, WIRE_OUTCOME_DONE);
	/* While the group is claimed the host can't have the sibling back. */
	command_ok(&fixture, "{ 'override': { 'device': '" SIBLING "', 'driver': null } }");
	command_refused(&fixture, "{ 'bind': { 'device': '" SIBLING "', 'driver': 'e1000' } }",
			"Device or resource busy");
	command_refused(&fixture, "{ 'unbind': '" CARD "' }", "nobody has the device open");
	descriptors_close(&result.fds);
	command_ok(&fixture, "{ 'bind': { 'device': '" SIBLING "', 'driver': 'e1000' } }");
	command_ok(&fixture, "{ 'unbind': '" CARD "' }");
	plan_done(&plan);
}

static void test_commands_that_are_none_are_refused(void **state)
{
	command_refused(&fixture, "{", "the text ends");
	command_refused(&fixture, "[]", "an object with one command is wanted");
	command_refused(&fixture, "{}", "an object with one command is wanted");
	command_refused(&fixture, "{ 'state': true, 'unhang': true }", "an object with one command is wanted");
	command_refused(&fixture, "{ 'dance': true }", "there is no such command");
	command_refused(&fixture, "{ 'state': false }", "true is wanted");
	command_refused(&fixture, "{ 'remove': '0000:00:09.0' }", "a device that is there is wanted");
	command_refused(&fixture, "{ 'fail': { 'step': 'sing' } }", "the name of a step");
	command_refused(&fixture, "{ 'fail': { 'errno': 'ENOTHING' } }", "an errno");
	command_refused(&fixture, "{ 'fail': { 'times': 0 } }", "an integer from 1");
	command_refused(&fixture, "{ 'hang': { 'errno': 5 } }", "unknown key; known keys");
	command_refused(&fixture, "{ 'add': { 'name': '0000:00:04.0' } }", "missing key vendor_id");
	command_refused(&fixture, "{ 'attach': {} }", "no wire came with it");
	command_refused(&fixture, "{ 'await': { 'hung': -1 } }", "an integer from 0");
}

/* A broker that is killed in the middle of a plan finds, when it is back, what was done. */
static void test_a_host_outlives_its_brokers(void **state)
{
	struct device card = known(&fixture, CARD), sibling = known(&fixture, SIBLING);
	struct plan plan = claim_plan(&fixture, CARD, SIBLING), release = release_plan(&fixture, &card, &sibling);
	char *before = host_now(&fixture);
	struct json_object *answer, *open;
	struct result result;

	command_ok(&fixture, "{ 'hang': { 'step': 'bind' } }");
	send_claim(&fixture, &plan);
	command_ok(&fixture, "{ 'await': { 'hung': 1 } }");
	assert_int_equal(side_stop(&fixture.side), 0);
	command_ok(&fixture, "{ 'unhang': true }");
	command_ok(&fixture, "{ 'await': { 'plans': 0 } }");
	/* Nobody was there to take the FDs. */
	answer = command(&fixture, "{ 'state': true }");
	assert_true(json_object_object_get_ex(answer, "open", &open));
	assert_int_equal(json_object_object_length(open), 0);
	assert_true(json_object_object_get_ex(answer, "contexts", &open));
	assert_int_equal(json_object_get_int(open), 0);
	json_object_put(answer);

	fixture_attach(&fixture);
	assert_string_equal(known(&fixture, CARD).driver, "vfio-pci");
	result = run_release_plan(&fixture, &release);
	assert_int_equal(result.wire.outcome, WIRE_OUTCOME_DONE);
	assert_host_is(before);
	plan_done(&plan);
	plan_done(&release);
	free(before);
}

/* A claim goes on while there is no broker, and two brokers see the same host. */
static void test_clients_keep_their_devices_without_a_broker(void **state)
{
	struct device alone = known(&fixture, ALONE);
	struct plan plan = claim_plan(&fixture, ALONE, NULL), release = release_plan(&fixture, &alone, NULL);
	struct result held = run_claim_plan(&fixture, &plan), result;
	struct side first;

	assert_int_equal(held.wire.outcome, WIRE_OUTCOME_DONE);
	assert_int_equal(side_stop(&fixture.side), 0);
	fixture_attach(&fixture);
	first = fixture.side;
	fixture_attach(&fixture);
	result = run_release_plan(&fixture, &release);
	assert_int_equal(result.wire.outcome, WIRE_OUTCOME_HELD);
	assert_int_equal(result.wire.pid, getpid());
	assert_int_equal(result.fds.count, 1);
	descriptors_close(&result.fds);
	descriptors_close(&held.fds);
	result = run_release_plan(&fixture, &release);
	assert_int_equal(result.wire.outcome, WIRE_OUTCOME_DONE);
	assert_int_equal(side_stop(&first), 0);
	plan_done(&plan);
	plan_done(&release);
}

/* A broker that asks and does not listen gets no memory: it is not read any more until it does. */
static void test_a_broker_that_does_not_read_is_not_read(void **state)
{
	union wire_message message;
	unsigned asked = 0, answered = 0;
	int error;

	assert_int_equal(fcntl(fixture.side.wire, F_SETFL, O_NONBLOCK), 0);
	memset(&message.survey, 0, sizeof(message.survey));
	message.survey.count = 1;
	memcpy(message.survey.device[0], CARD, sizeof(CARD));
	/* Full for so long that nobody can be reading at the other end. */
	do {
		struct pollfd wire = { .fd = fixture.side.wire, .events = POLLOUT };

		wire_stamp(&message, WIRE_SURVEY, asked + 1);
		error = wire_send(fixture.side.wire, &message, NULL, 0);
		asked += error == 0;
		if (error == -EAGAIN && poll(&wire, 1, 500) == 0)
			break;
	} while (asked < 1000000);
	assert_int_equal(error, -EAGAIN);
	assert_int_equal(fcntl(fixture.side.wire, F_SETFL, 0), 0);
	while (answered < asked) {
		struct descriptors fds = { .count = 0 };

		assert_int_equal(wire_receive(fixture.side.wire, &message, &fds), 1);
		answered += message.header.type == WIRE_SURVEY_DONE;
	}
	survey(CARD);
}

static void test_faults_on_the_command_line(void **state)
{
	static const struct {
		const char *options;
		enum wire_outcome outcome;
		int error;
	} row[] = {
		{ "--fail unbind:" CARD "=EPERM", WIRE_OUTCOME_UNDONE, EPERM },
		{ "--fail bind=1", WIRE_OUTCOME_UNDONE, EPERM },
		{ "--fail context", WIRE_OUTCOME_UNDONE, EIO },
		{ "--fail attach --fail undo-probe=EBUSY", WIRE_OUTCOME_BROKEN, EIO },
		/* The step that fails is undone, too. */
		{ "--fail open --fail undo-open=EBUSY", WIRE_OUTCOME_BROKEN, EIO },
		{ "--fail unbind:" ALONE, WIRE_OUTCOME_DONE, 0 },
	};

	fixture_begin(&fixture);
	for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
		char line[512];
		struct plan plan;
		struct result result;

		snprintf(line, sizeof(line), SIMULATOR " %s %s/host", row[i].options, fixture.folder);
		side_start(&fixture.side, line, fixture.folder);
		plan = claim_plan(&fixture, CARD, SIBLING);
		result = run_claim_plan(&fixture, &plan);
		assert_int_equal(result.wire.outcome, row[i].outcome);
		assert_int_equal(result.wire.error, row[i].error);
		descriptors_close(&result.fds);
		plan_done(&plan);
		assert_int_equal(side_stop(&fixture.side), 0);
	}
	fixture_end(&fixture);
}

/* What is wrong with a command line is said, with status 2; what is wrong with the files, with status 1. */
static void test_wrong_command_lines(void **state)
{
	static const struct {
		const char *arguments;
		int status;
	} row[] = {
		{ "", 2 },
		{ "a.json b.json", 2 },
		{ "--no-such-option a.json", 2 },
		{ "--fail sing a.json", 2 },
		{ "--fail unbind:01:00.0 a.json", 2 },
		{ "--fail unbind=ENOTHING a.json", 2 },
		{ "--hang unbind=5 a.json", 2 },
		{ "--stay a.json", 2 },
		{ "--attach /nonexistent a.json", 2 },
		{ "a.json", 2 }, /* descriptor 3 is no wire */
		{ "--stay --control /nonexistent/socket a.json", 1 },
		{ "--help", 0 },
		{ "--version", 0 },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
		char line[512];
		int status;

		snprintf(line, sizeof(line), SIMULATOR " %s 3</dev/null >/dev/null 2>&1", row[i].arguments);
		status = system(line);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != row[i].status)
			fail_msg("'%s' ends with %d", row[i].arguments, status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_claim_that_fails_at_any_step_is_undone, start, stop),
		cmocka_unit_test_setup_teardown(test_an_undo_that_fails_is_broken, start, stop),
		cmocka_unit_test_setup_teardown(test_a_release_that_fails_at_any_step_can_be_repeated, start, stop),
		cmocka_unit_test_setup_teardown(test_a_plan_that_hangs_at_any_step_holds_up_nobody, start, stop),
		cmocka_unit_test_setup_teardown(test_one_plan_of_a_claim_at_a_time, start, stop),
		cmocka_unit_test_setup_teardown(test_a_worker_that_ends_leaves_what_a_release_puts_back, start, stop),
		cmocka_unit_test_setup_teardown(test_devices_come_and_go, start, stop),
		cmocka_unit_test_setup_teardown(test_a_device_is_unplugged_while_it_is_held, start, stop),
		cmocka_unit_test_setup_teardown(test_a_device_is_unplugged_in_the_middle_of_a_claim, start, stop),
		cmocka_unit_test_setup_teardown(test_uses_come_and_go, start, stop),
		cmocka_unit_test_setup_teardown(test_root_goes_round_it, start, stop),
		cmocka_unit_test_setup_teardown(test_commands_that_are_none_are_refused, start, stop),
		cmocka_unit_test_setup_teardown(test_a_host_outlives_its_brokers, start_staying, stop),
		cmocka_unit_test_setup_teardown(test_clients_keep_their_devices_without_a_broker, start_staying, stop),
		cmocka_unit_test_setup_teardown(test_a_broker_that_does_not_read_is_not_read, start, stop),
		cmocka_unit_test(test_faults_on_the_command_line),
		cmocka_unit_test(test_wrong_command_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
