/*
 * Messages to a broker that does not read: kept in their order with their FDs, and dropped with them when it is gone.
 */
#include "../../daemon/executor/router/outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

static struct outbox outbox;
static int broker;

static int begin(void **state)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -1;
	outbox = (struct outbox){ .socket = pair[0] };
	broker = pair[1];
	return 0;
}

static int end(void **state)
{
	outbox_done(&outbox);
	close(outbox.socket);
	if (broker >= 0)
		close(broker);
	return 0;
}

static size_t count_descriptors(void)
{
	DIR *stream = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(stream);
	while (readdir(stream))
		count++;
	closedir(stream);
	return count;
}

/* A result with this id and one FD. */
static void send_result(uint64_t id)
{
	struct descriptors fds = { .count = 0 };
	union wire_message message;

	memset(&message.result, 0, sizeof(message.result));
	wire_stamp(&message, WIRE_RESULT, id);
	assert_int_equal(descriptors_add(&fds, open("/dev/null", O_RDONLY | O_CLOEXEC)), 0);
	outbox_send(&outbox, &message, &fds);
	assert_int_equal(fds.count, 0);
}

/* Sends until something has to wait; returns the last id. */
static uint64_t fill(void)
{
	uint64_t id = 0;

	while (outbox_is_empty(&outbox))
		send_result(++id);
	for (int i = 0; i < 5; i++)
		send_result(++id);
	return id;
}

static void order_is_kept(void **state)
{
	size_t before = count_descriptors();
	uint64_t last = fill(), next = 1;

	while (next <= last) {
		struct descriptors fds = { .count = 0 };
		union wire_message message;
		int got = wire_receive(broker, &message, &fds);

		if (got == -EAGAIN) {
			assert_false(outbox_is_empty(&outbox));
			outbox_flush(&outbox);
			continue;
		}
		assert_int_equal(got, 1);
		assert_int_equal(message.header.id, next);
		assert_int_equal(fds.count, 1);
		descriptors_close(&fds);
		next++;
	}
	assert_true(outbox_is_empty(&outbox));
	assert_int_equal(count_descriptors(), before);
}

/* SR-26: nothing is left open. */
static void broker_goes(void **state)
{
	size_t before = count_descriptors();

	fill();
	close(broker);
	broker = -1;
	outbox_flush(&outbox);
	assert_true(outbox.gone);
	assert_true(outbox_is_empty(&outbox));
	send_result(1000);
	assert_int_equal(count_descriptors(), before - 1);
}

static void dropped_at_the_end(void **state)
{
	size_t before = count_descriptors();

	fill();
	outbox_done(&outbox);
	assert_true(outbox_is_empty(&outbox));
	assert_int_equal(count_descriptors(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(order_is_kept, begin, end),
		cmocka_unit_test_setup_teardown(broker_goes, begin, end),
		cmocka_unit_test_setup_teardown(dropped_at_the_end, begin, end),
	};

	return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
