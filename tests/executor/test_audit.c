/*
 * An audit of the real processes of this machine, on a fake sysfs in which everyday devices play the parts of VFIO's:
 * null is /dev/iommu, zero the container, full a group, urandom a device; on another one the last two are vDPA's.
 */
#include "../../daemon/executor/survey/audit.h"
#include "tree.h"

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

enum { HOLDS_MAX = 32 };

static struct tree tree, bare;
static struct timed_call *timed_call;

/* What the child has. */
struct found {
	pid_t pid;
	struct hold hold[HOLDS_MAX];
	size_t count;
	bool compared;
};

static int begin(void **state)
{
	tree_begin(&tree);
	timed_call = timed_call_new();
	close(tree.host.proc);
	tree.host.proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tree_file(&tree, "1:3\n", "sys/class/misc/iommu/dev");
	tree_file(&tree, "1:5\n", "sys/class/misc/vfio/dev");
	tree_file(&tree, "1:7\n", "sys/class/vfio/7/dev");
	tree_device(&tree, "0000:01:00.0", "0x1234", "0x11e8", "0x00ff00");
	tree_file(&tree, "1:9\n", "sys/class/vfio-dev/vfio3/dev");
	tree_link(&tree, "../../../devices/pci0000:00/0000:01:00.0", "sys/class/vfio-dev/vfio3/device");
	tree_file(&tree, "what is mapped of it\n", "dev/vfio/devices/vfio3");
	return timed_call && tree.host.proc >= 0 ? 0 : -1;
}

static int end(void **state)
{
	timed_call_free(timed_call);
	tree_end(&tree);
	return 0;
}

static pid_t start_child(void (*act)(int context), int context)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int nothing = dup2(ready[1], 40);

		/* None of what we have, null among it, but what it is given. */
		close_range(0, 39, 0);
		close_range(41, ~0U, 0);
		act(context);
		if (nothing != 40 || write(40, "", 1) != 1)
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

static int on_hold(void *to, const struct hold *hold)
{
	struct found *found = to;

	assert_true(hold_is_sane(hold));
	if (hold->pid == found->pid) {
		assert_true(found->count < HOLDS_MAX);
		found->hold[found->count++] = *hold;
	}
	return 0;
}

static int on_access(void *to, const struct node_access *access)
{
	return 0;
}

static struct found audit_of(struct tree *host, pid_t pid, pid_t broker, int context)
{
	const struct audit_context contexts[] = { { .fd = context, .claim = "one" } };
	struct found found = { .pid = pid };
	struct audit course = { .host = &host->host,
				.timed_call = timed_call,
				.broker = broker,
				.context = contexts,
				.context_count = context >= 0 ? 1 : 0,
				.hold = on_hold,
				.access = on_access,
				.to = &found };
	int error = audit_run(&course);

	/* Without its capabilities others' processes can't be looked into: that is said, and our own are found all the
	 * same. */
	assert_true(error == 0 || error == -EACCES);
	found.compared = course.compared;
	return found;
}

static struct found audit(pid_t pid, pid_t broker, int context)
{
	return audit_of(&tree, pid, broker, context);
}

static const struct hold *hold_of(const struct found *found, enum hold_kind kind, const char *claim)
{
	for (size_t i = 0; i < found->count; i++)
		if (found->hold[i].kind == kind && strcmp(found->hold[i].claim, claim) == 0)
			return &found->hold[i];
	return NULL;
}

static void open_all(int context)
{
	if (open("/dev/null", O_RDWR) < 0 || open("/dev/null", O_RDWR) < 0 || open("/dev/zero", O_RDONLY) < 0 ||
	    open("/dev/full", O_RDWR) < 0 || open("/dev/urandom", O_RDONLY) < 0 || open("/dev/null", O_PATH) < 0)
		_exit(1);
}

static void every_kind(void **state)
{
	pid_t pid = start_child(open_all, -1);
	struct found found = audit(pid, getpid(), -1);
	const struct hold *hold;

	assert_int_equal(found.count, 4);
	hold = hold_of(&found, HOLD_IOMMUFD, "");
	assert_non_null(hold);
	/* One that only names it is none. */
	assert_int_equal(hold->count, 2);
	assert_string_equal(hold->node, "iommu");
	assert_int_equal(hold->group, -1);
	assert_int_equal(hold->uid, geteuid());
	assert_string_not_equal(hold->command, "");
	hold = hold_of(&found, HOLD_CONTAINER, "");
	assert_non_null(hold);
	assert_string_equal(hold->node, "vfio/vfio");
	hold = hold_of(&found, HOLD_GROUP, "");
	assert_non_null(hold);
	assert_int_equal(hold->group, 7);
	assert_string_equal(hold->node, "vfio/7");
	hold = hold_of(&found, HOLD_DEVICE, "");
	assert_non_null(hold);
	assert_string_equal(hold->device, "0000:01:00.0");
	assert_string_equal(hold->node, "vfio/devices/vfio3");
	assert_int_equal(hold->group, 7);
	end_child(pid);
	found = audit(pid, getpid(), -1);
	assert_int_equal(found.count, 0);
}

static void open_vdpa(int context)
{
	/* Two that are vDPA's, one of a class that is not there on any kernel. */
	if (open("/dev/full", O_RDWR) < 0 || open("/dev/urandom", O_RDONLY) < 0 || open("/dev/zero", O_RDONLY) < 0)
		_exit(1);
}

/* A vDPA device is on its bus as a link to where it is: below its parent, or at the top if that is a simulator. */
static void vdpa_nodes(void **state)
{
	struct found found;
	bool seen[2] = { false };
	pid_t pid;

	tree_begin(&bare);
	close(bare.host.proc);
	bare.host.proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tree_file(&bare, "1:7\n", "sys/devices/net0/vhost-vdpa-0/dev");
	tree_file(&bare, "vhost_vdpa\n", "sys/devices/net0/driver_override");
	tree_link(&bare, "../../../devices/net0", "sys/bus/vdpa/devices/net0");
	tree_file(&bare, "1:9\n", "sys/devices/pci0000:00/0000:01:00.0/vp!0/vhost-vdpa-12/dev");
	tree_link(&bare, "../../../devices/pci0000:00/0000:01:00.0/vp!0", "sys/bus/vdpa/devices/vp!0");
	tree_file(&bare, "1:5\n", "sys/devices/net1/vhost-vdpa/dev");
	tree_link(&bare, "../../../devices/gone", "sys/bus/vdpa/devices/gone");
	pid = start_child(open_vdpa, -1);
	found = audit_of(&bare, pid, getpid(), -1);
	assert_int_equal(found.count, 2);
	for (size_t i = 0; i < found.count; i++) {
		const struct hold *hold = &found.hold[i];

		assert_int_equal(hold->kind, HOLD_VDPA);
		assert_int_equal(hold->count, 1);
		assert_string_equal(hold->device, "");
		seen[0] = seen[0] || strcmp(hold->node, "vhost-vdpa-0") == 0;
		seen[1] = seen[1] || strcmp(hold->node, "vhost-vdpa-12") == 0;
	}
	assert_true(seen[0] && seen[1]);
	end_child(pid);
	tree_end(&bare);
}

static void copy_context(int context)
{
	/* close_range() has taken what was above. */
	if (fcntl(40, F_GETFD) < 0 || open("/dev/null", O_RDWR) < 0)
		_exit(1);
}

/* A copy of the broker's FD is the claim's context, whatever its number; the same node, opened anew, is not. */
static void contexts(void **state)
{
	int context = open("/dev/null", O_RDWR | O_CLOEXEC), low;
	struct found found;
	pid_t pid;

	assert_true(context >= 0);
	low = fcntl(context, F_DUPFD, 50);
	assert_true(low >= 50);
	pid = fork();
	if (pid == 0) {
		if (open("/dev/null", O_RDWR) < 0)
			_exit(1);
		raise(SIGSTOP);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
	found = audit(pid, getpid(), context);
	assert_true(found.compared);
	assert_non_null(hold_of(&found, HOLD_IOMMUFD, "one"));
	assert_int_equal(hold_of(&found, HOLD_IOMMUFD, "one")->count, 2);
	assert_non_null(hold_of(&found, HOLD_IOMMUFD, ""));
	assert_int_equal(hold_of(&found, HOLD_IOMMUFD, "one")->service, 0);
	/* The broker's own. */
	found = audit(getpid(), getpid(), context);
	assert_int_equal(found.count, 0);
	/* By a number that is no FD, or another file's; and with nobody to compare with. */
	found = audit(pid, getpid(), 4000);
	assert_null(hold_of(&found, HOLD_IOMMUFD, "one"));
	found = audit(pid, getpid(), tree.host.proc);
	assert_null(hold_of(&found, HOLD_IOMMUFD, "one"));
	found = audit(pid, 0, context);
	assert_null(hold_of(&found, HOLD_IOMMUFD, "one"));
	assert_false(found.compared);
	close(low);
	close(context);
	end_child(pid);
	pid = start_child(copy_context, -1);
	found = audit(pid, pid, 0);
	assert_int_equal(hold_of(&found, HOLD_IOMMUFD, "one")->service, 1);
	end_child(pid);
}

static void map_device(int context)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/dev/vfio/devices/vfio3", tree.root);
	fd = open(path, O_RDONLY);
	if (fd < 0 || mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
		_exit(1);
	close(fd);
}

static void mapping(void **state)
{
	pid_t pid = start_child(map_device, -1);
	struct found found = audit(pid, getpid(), -1);

	assert_int_equal(found.count, 1);
	assert_int_equal(found.hold[0].kind, HOLD_MAPPING);
	assert_string_equal(found.hold[0].device, "0000:01:00.0");
	end_child(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_kind, begin, end),
		cmocka_unit_test_setup_teardown(vdpa_nodes, begin, end),
		cmocka_unit_test_setup_teardown(contexts, begin, end),
		cmocka_unit_test_setup_teardown(mapping, begin, end),
	};

	return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
