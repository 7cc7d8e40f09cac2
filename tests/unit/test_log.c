#include "../../daemon/base/log.h"

#include "../../daemon/base/descriptors.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

/* Logs with standard error going to fd; it is what it was after that. */
static void log_to(int fd, const char *text)
{
	int kept = dup(STDERR_FILENO);

	assert_true(dup2(fd, STDERR_FILENO) == STDERR_FILENO);
	errno = EXDEV;
	log_notice("%s", text);
	assert_int_equal(errno, EXDEV);
	dup2(kept, STDERR_FILENO);
	close(kept);
}

static void test_lines_are_escaped(void **state)
{
	static const char expected[] = "ioasidd: a\\x0ab\\x1b[31m \xc3\xa4\n";
	int pipes[2];
	char got[256];

	assert_int_equal(pipe(pipes), 0);
	log_to(pipes[1], "a\nb\x1b[31m \xc3\xa4");
	assert_int_equal(read(pipes[0], got, sizeof got), sizeof expected - 1);
	assert_memory_equal(got, expected, sizeof expected - 1);
	close(pipes[0]);
	close(pipes[1]);
}

static void test_a_journal_that_hangs_or_is_gone_is_not_waited_for(void **state)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	/* Far more than the socket holds, and nobody reads: this would never end. */
	for (int i = 0; i < 100000; i++)
		log_to(pair[1], "a line that is as long as lines are, as a rule, or even somewhat longer than that");
	close(pair[0]);
	log_to(pair[1], "and nobody is there");
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_are_escaped),
		cmocka_unit_test(test_a_journal_that_hangs_or_is_gone_is_not_waited_for),
	};

	unsetenv("JOURNAL_STREAM");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
