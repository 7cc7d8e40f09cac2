/*
 * Who has a device, looked for among the real processes of this machine: an FD and a mapping of a child's are found,
 * and what has ended is not.
 */
#include "../../daemon/executor/survey/holders.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct host host;
static struct timed_call *timed_call;

static int begin(void **state)
{
	timed_call = timed_call_new();
	return timed_call ? host_open(&host, "") : -1;
}

static int end(void **state)
{
	timed_call_free(timed_call);
	host_close(&host);
	return 0;
}

/* A child that does what is to be found, and stays until it is killed. */
static pid_t start_child(void (*act)(void *argument), void *argument)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		act(argument);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void end_child(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

struct found {
	pid_t pid;
	unsigned count;
};

static int on_holder(void *context, const struct holder_target *target, pid_t pid)
{
	struct found *found = context;

	assert_string_equal(target->device, "0000:01:00.0");
	found->pid = pid;
	found->count++;
	return 0;
}

static struct found find(const struct holder_target *target)
{
	struct found found = { 0 };
	int error = holders_find(&host, target, 1, timed_call, on_holder, &found);

	/* Without its capabilities others' processes can't be looked into: that is said, and our own are found all the
	 * same. */
	assert_true(error == 0 || error == -EACCES);
	return found;
}

static void open_terminal(void *argument)
{
	if (open(argument, O_RDWR | O_NOCTTY) < 0)
		_exit(1);
}

/* The other side of a new pseudo-terminal is a character device that nobody else has. */
static void open_descriptor(void **state)
{
	struct holder_target target = { .device = "0000:01:00.0", .mappings = true, .label = "vfio0" };
	int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct stat status;
	char name[64];
	pid_t pid;

	assert_true(terminal >= 0);
	assert_int_equal(grantpt(terminal), 0);
	assert_int_equal(unlockpt(terminal), 0);
	assert_int_equal(ptsname_r(terminal, name, sizeof(name)), 0);
	assert_int_equal(stat(name, &status), 0);
	target.number = status.st_rdev;
	assert_int_equal(find(&target).count, 0);
	pid = start_child(open_terminal, name);
	assert_int_equal(find(&target).count, 1);
	assert_int_equal(find(&target).pid, pid);
	/* The same number as a block device's is another device. */
	target.block = true;
	assert_int_equal(find(&target).count, 0);
	target.block = false;
	end_child(pid);
	assert_int_equal(find(&target).count, 0);
	close(terminal);
}

static void map_file(void *argument)
{
	int fd = open(argument, O_RDWR | O_CLOEXEC);

	if (fd < 0 || mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
		_exit(1);
	close(fd);
}

/* A mapping that outlived its FD; the node was removed meanwhile. */
static void mapping_without_descriptor(void **state)
{
	struct holder_target target = { .device = "0000:01:00.0", .mappings = true, .label = "vfio4711", .number = 1 };
	char folder[] = "/tmp/ioasid-executor-map-XXXXXX", path[64];
	struct stat status;
	int fd;
	pid_t pid;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/vfio4711", folder);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(fstat(fd, &status), 0);
	close(fd);
	assert_int_equal(find(&target).count, 0);
	pid = start_child(map_file, path);
	assert_int_equal(find(&target).pid, pid);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(find(&target).pid, pid);
	strcpy(target.label, "vfio471");
	assert_int_equal(find(&target).count, 0);
	/* By its inode, under whatever name. */
	target.node_device = status.st_dev;
	target.node_inode = status.st_ino;
	assert_int_equal(find(&target).pid, pid);
	end_child(pid);
	assert_int_equal(find(&target).count, 0);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(open_descriptor, begin, end),
		cmocka_unit_test_setup_teardown(mapping_without_descriptor, begin, end),
	};

	return cmocka_run_group_tests_name("holders", tests, NULL, NULL);
}
