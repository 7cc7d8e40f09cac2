/*
 * Calls that don't come back: they are left behind, asked for only once, and free what they have when they do come
 * back.
 */
#include "../../daemon/executor/os/timed_call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A call that waits until it is let go, and says when it is freed. */
struct call {
	int gate;
	int freed;
	int answer;
};

static int run(void *context)
{
	struct call *call = context;
	uint64_t value;

	return read(call->gate, &value, sizeof(value)) == sizeof(value) ? call->answer : -errno;
}

static void free_call(void *context)
{
	struct call *call = context;
	uint64_t one = 1;

	if (write(call->freed, &one, sizeof(one)) != sizeof(one))
		abort();
	free(call);
}

static int gate, freed;

static int begin(void **state)
{
	gate = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
	freed = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
	return gate >= 0 && freed >= 0 ? 0 : -1;
}

static int end(void **state)
{
	close(gate);
	close(freed);
	return 0;
}

static void open_gate(uint64_t calls)
{
	assert_int_equal(write(gate, &calls, sizeof(calls)), sizeof(calls));
}

/* Waits until one call was freed. */
static void await_freed(void)
{
	struct pollfd event = { .fd = freed, .events = POLLIN };
	uint64_t one;

	assert_int_equal(poll(&event, 1, 10000), 1);
	assert_int_equal(read(freed, &one, sizeof(one)), sizeof(one));
}

static bool was_freed(void)
{
	struct pollfd event = { .fd = freed, .events = POLLIN };

	return poll(&event, 1, 0) == 1;
}

static int ask(struct timed_call *timed_call, const char *key, unsigned milliseconds, int answer)
{
	struct timed_call_task task = { .key = key, .run = run, .free = free_call };
	struct call *call = calloc(1, sizeof(*call));
	int result;

	assert_non_null(call);
	*call = (struct call){ .gate = gate, .freed = freed, .answer = answer };
	result = timed_call_run(timed_call, &task, milliseconds, call);
	if (result != -ETIMEDOUT)
		free(call);
	return result;
}

static void call_that_comes_back(void **state)
{
	struct timed_call *timed_call = timed_call_new();

	assert_non_null(timed_call);
	open_gate(3);
	assert_int_equal(ask(timed_call, "a", 10000, 0), 0);
	assert_int_equal(ask(timed_call, "a", 10000, 7), 7);
	assert_int_equal(ask(timed_call, "b", 10000, -EIO), -EIO);
	assert_false(was_freed());
	timed_call_free(timed_call);
}

static void call_that_hangs(void **state)
{
	struct timed_call *timed_call = timed_call_new();

	assert_non_null(timed_call);
	assert_int_equal(ask(timed_call, "a", 20, 0), -ETIMEDOUT);
	assert_false(was_freed());
	/* While it hangs, the same is not asked again: the second call is given back at once. */
	assert_int_equal(ask(timed_call, "a", 10000, 0), -ETIMEDOUT);
	await_freed();
	/* The first one comes back. */
	open_gate(1);
	await_freed();
	open_gate(1);
	assert_int_equal(ask(timed_call, "b", 10000, 3), 3);
	timed_call_free(timed_call);
}

static void others_go_on_meanwhile(void **state)
{
	struct timed_call *timed_call = timed_call_new();
	int other_gate = eventfd(1, EFD_CLOEXEC), first_gate = gate;

	assert_non_null(timed_call);
	assert_int_equal(ask(timed_call, "a", 20, 0), -ETIMEDOUT);
	gate = other_gate;
	assert_int_equal(ask(timed_call, "b", 10000, 5), 5);
	gate = first_gate;
	open_gate(1);
	await_freed();
	timed_call_free(timed_call);
	close(other_gate);
}

/* Beyond a number of calls that hang nothing more is tried. */
static void many_calls_that_hang(void **state)
{
	struct timed_call *timed_call = timed_call_new();
	char key[16];

	assert_non_null(timed_call);
	for (int i = 0; i < 70; i++) {
		snprintf(key, sizeof(key), "%d", i);
		assert_int_equal(ask(timed_call, key, 1, 0), -ETIMEDOUT);
	}
	for (int i = 64; i < 70; i++)
		await_freed();
	assert_false(was_freed());
	open_gate(64);
	for (int i = 0; i < 64; i++)
		await_freed();
	timed_call_free(timed_call);
}

/* What still hangs when nobody waits any more frees itself. */
static void freed_while_calls_hang(void **state)
{
	struct timed_call *timed_call = timed_call_new();

	assert_non_null(timed_call);
	assert_int_equal(ask(timed_call, "a", 20, 0), -ETIMEDOUT);
	timed_call_free(timed_call);
	open_gate(1);
	await_freed();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(call_that_comes_back, begin, end),
		cmocka_unit_test_setup_teardown(call_that_hangs, begin, end),
		cmocka_unit_test_setup_teardown(others_go_on_meanwhile, begin, end),
		cmocka_unit_test_setup_teardown(many_calls_that_hang, begin, end),
		cmocka_unit_test_setup_teardown(freed_while_calls_hang, begin, end),
	};

	return cmocka_run_group_tests_name("patience", tests, NULL, NULL);
}
