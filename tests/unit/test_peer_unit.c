/* Which systemd unit a process is in, by the text of its control groups and by the process itself. */
#include "../../daemon/base/peer_unit.h"

#include "fixture.h"

#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_texts(void **state)
{
	static const struct {
		const char *text, *unit;
	} cases[] = {
		{ "0::/system.slice/vm@7.service\n", "vm@7.service" },
		{ "0::/system.slice/system-vm.slice/vm@7.service/payload/other.service\n", "vm@7.service" },
		{ "0::/user.slice/user-1000.slice/user@1000.service/app.slice/mine.service\n", "user@1000.service" },
		{ "0::/user.slice/user-1000.slice/session-3.scope\n", "session-3.scope" },
		{ "0::/machine.slice/machine-qemu\\x2d1\\x2dguest.scope\n", "machine-qemu\\x2d1\\x2dguest.scope" },
		{ "0::/init.scope\n", "init.scope" },
		{ "0::/system.slice/_tasks.service\n", "tasks.service" },
		{ "0::/\n", "" },
		{ "", "" },
		{ "0::/lxc/vm.service\n", "" }, /* somebody else's tree, not systemd's */
		{ "0::/../outside.service\n", "" },
		{ "0::/system.slice\n", "" },
		{ "0::/.service\n", "" },
		{ "0::/_.service\n", "" },
		{ "12:devices:/x\n1:name=systemd:/system.slice/old.service\n0::/system.slice/new.service\n",
		  "old.service" },
		{ "4:memory:/a.service\n0::/system.slice/new.service\n", "new.service" },
		{ "nonsense", "" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char unit[256] = "before";

		peer_unit_parse(cases[i].text, unit, sizeof unit);
		assert_string_equal(unit, cases[i].unit);
	}
}

static void test_too_long(void **state)
{
	char text[512], unit[256];

	memset(text, 'a', sizeof text);
	memcpy(text, "0::/", 4);
	strcpy(text + 300, ".service\n");
	peer_unit_parse(text, unit, sizeof unit);
	assert_string_equal(unit, "");
	strcpy(text + 4 + 247, ".service\n");
	peer_unit_parse(text, unit, sizeof unit);
	assert_int_equal(strlen(unit), 255);
}

/* Of a process that has gone nothing is believed: its number may be another's by now. */
static void test_gone(void **state)
{
	char unit[256] = "before";
	int pipes[2], pidfd;
	pid_t child;

	assert_int_equal(pipe(pipes), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		char byte;

		close(pipes[1]);
		_exit(read(pipes[0], &byte, 1) != 0);
	}
	pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	assert_true(pidfd >= 0);
	close(pipes[0]);
	close(pipes[1]);
	assert_int_equal(waitpid(child, NULL, 0), child);
	/* The number of a process that is in a unit perhaps, with the pidfd of one that has gone. */
	peer_unit_read(pidfd, getpid(), unit, sizeof unit);
	assert_string_equal(unit, "");
	close(pidfd);
	strcpy(unit, "before");
	peer_unit_read(-1, getpid(), unit, sizeof unit);
	assert_string_equal(unit, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
