/*
 * Paths that are walked by hand end where the kernel's own openat2() with RESOLVE_BENEATH ends, and fail where it
 * fails: for paths that were thought of, and for thousands of a small world full of links.
 */
#include "../../daemon/executor/os/open_beneath.h"
#include "../../daemon/base/descriptors.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cmocka.h>

static struct tree tree;

static int begin(void **state)
{
	tree_begin(&tree);
	return 0;
}

static int end(void **state)
{
	tree_end(&tree);
	return 0;
}

static int kernel_open(int base, const char *path, int flags)
{
	struct open_how how = { .flags = (uint64_t)flags | O_CLOEXEC | O_NOCTTY,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	long fd = syscall(SYS_openat2, base, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* Opens both ways; the same file, or the same error. Returns 0 or the error. */
static int expect_same(int base, const char *path, int flags)
{
	int expected = kernel_open(base, path, flags), found = open_beneath(base, path, flags);
	struct stat here, there;
	int result = found < 0 ? found : 0;

	if (expected < 0 || found < 0) {
		if (expected != found)
			fail_msg("%s with flags %o: %s, the kernel says %s", path, (unsigned)flags,
				 found < 0 ? strerror(-found) : "opened",
				 expected < 0 ? strerror(-expected) : "opened");
		descriptor_close(&expected);
		descriptor_close(&found);
		return result;
	}
	assert_int_equal(fstat(expected, &here), 0);
	assert_int_equal(fstat(found, &there), 0);
	if (here.st_ino != there.st_ino || here.st_dev != there.st_dev)
		fail_msg("%s leads elsewhere", path);
	assert_int_equal(fcntl(found, F_GETFD), FD_CLOEXEC);
	close(expected);
	close(found);
	return 0;
}

static void as_in_sysfs(void **state)
{
	static const char *const good[] = {
		"bus/pci/devices/0000:01:00.0",
		"bus/pci/devices/0000:01:00.0/vendor",
		"bus/pci/devices/0000:01:00.0/",
		"bus/pci/devices/./0000:01:00.0//vendor",
		"bus/pci/devices/0000:01:00.0/../..",
		".",
		"bus/pci/..",
		"bus/../bus",
	};

	tree_file(&tree, "0x1234\n", "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/vendor");
	tree_link(&tree, "../../../devices/pci0000:00/0000:00:01.0/0000:01:00.0", "sys/bus/pci/devices/0000:01:00.0");
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_int_equal(expect_same(tree.host.sys, good[i], O_RDONLY), 0);
	assert_int_equal(expect_same(tree.host.sys, "bus/pci/devices/0000:01:00.0", O_RDONLY | O_NOFOLLOW), -ELOOP);
	assert_int_equal(expect_same(tree.host.sys, "bus/pci/devices/0000:01:00.0/vendor/", O_RDONLY), -ENOTDIR);
	assert_int_equal(expect_same(tree.host.sys, "bus/pci/devices/0000:01:00.0/vendor", O_RDONLY | O_DIRECTORY),
			 -ENOTDIR);
	assert_int_equal(expect_same(tree.host.sys, "bus/pci/devices/0000:01:00.1/vendor", O_RDONLY), -ENOENT);
	assert_int_equal(expect_same(tree.host.sys, "", O_RDONLY), -ENOENT);
}

/* SR-51 */
static void ways_out(void **state)
{
	static const char *const bad[] = { "..",        "../proc",  "bus/../..",     "/",
					   "/sys",      "out",      "out/file",      "absolute",
					   "absolute/", "deep/out", "deep/out/file", "deep/../../file",
					   "up",        "up/sys" };
	char outside[128];

	tree_file(&tree, "secret\n", "file");
	tree_file(&tree, "open\n", "sys/bus/file");
	tree_link(&tree, "../file", "sys/out");
	tree_link(&tree, "..", "sys/up");
	tree_link(&tree, "../../proc", "sys/deep/out");
	snprintf(outside, sizeof(outside), "%s/file", tree.root);
	tree_link(&tree, outside, "sys/absolute");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(expect_same(tree.host.sys, bad[i], O_RDONLY), -EXDEV);
	assert_int_equal(expect_same(tree.host.sys, "out", O_RDONLY | O_NOFOLLOW), -ELOOP);
}

static void too_much(void **state)
{
	char path[5000];

	tree_link(&tree, "two", "sys/one");
	tree_link(&tree, "one", "sys/two");
	tree_link(&tree, "itself/itself", "sys/itself");
	assert_int_equal(expect_same(tree.host.sys, "one", O_RDONLY), -ELOOP);
	assert_int_equal(expect_same(tree.host.sys, "one/two", O_RDONLY), -ELOOP);
	assert_int_equal(expect_same(tree.host.sys, "itself", O_RDONLY), -ELOOP);
	/* Links of the kernel's own, which lead to what no path names. */
	assert_int_equal(open_beneath(tree.host.sys, "one", O_RDONLY), -ELOOP);
	autoclose int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(open_beneath(proc, "self/root", O_RDONLY), -EXDEV);
	assert_int_equal(open_beneath(proc, "self/cwd/file", O_RDONLY), -EXDEV);
	assert_int_equal(open_beneath(proc, "self/exe", O_RDONLY), -EXDEV);
	assert_int_equal(expect_same(proc, "self/exe", O_RDONLY | O_NOFOLLOW), -ELOOP);
	assert_int_equal(expect_same(proc, "self/fdinfo/0", O_RDONLY), 0);
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(open_beneath(tree.host.sys, path, O_RDONLY), -ENAMETOOLONG);
	for (size_t i = 1; i < sizeof(path); i += 2)
		path[i] = '/';
	path[2000] = '\0';
	assert_int_equal(open_beneath(tree.host.sys, path, O_RDONLY), -ENOENT);
}

/* A path of some components, links and folders of the little world below. */
static void make_path(unsigned *seed, char *out, size_t size)
{
	static const char *const component[] = { "a", "b", "c", "d", "file", "..", ".", "", "e", "none" };
	unsigned count = 1 + (unsigned)rand_r(seed) % 6;

	out[0] = '\0';
	for (unsigned i = 0; i < count; i++) {
		size_t length = strlen(out);

		snprintf(out + length, size - length, "%s%s", i > 0 ? "/" : "",
			 component[(size_t)rand_r(seed) % (sizeof(component) / sizeof(*component))]);
	}
}

static void a_world_of_links(void **state)
{
	static const int flags[] = { O_RDONLY, O_RDONLY | O_NOFOLLOW, O_RDONLY | O_DIRECTORY };
	unsigned opened = 0, failed = 0;

	for (unsigned world = 0; world < 40; world++) {
		unsigned seed = world;
		char target[128];

		tree_file(&tree, "x", "sys/a/b/file");
		tree_file(&tree, "x", "sys/b/a/c/file");
		tree_file(&tree, "x", "sys/file");
		for (const char *const *place = (const char *const[]){ "sys/c", "sys/d", "sys/a/d", "sys/b/a/e",
								       "sys/a/b/c", "sys/e", NULL };
		     *place; place++) {
			do
				make_path(&seed, target, sizeof(target));
			while (!target[0]);
			tree_link(&tree, target, "%s", *place);
		}
		for (unsigned i = 0; i < 500; i++) {
			make_path(&seed, target, sizeof(target));
			if (expect_same(tree.host.sys, target, flags[i % 3]) == 0)
				opened++;
			else
				failed++;
		}
		tree_end(&tree);
		tree_begin(&tree);
	}
	/* It would say nothing about the one or the other. */
	assert_true(opened > 1000 && failed > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(as_in_sysfs, begin, end),
		cmocka_unit_test_setup_teardown(ways_out, begin, end),
		cmocka_unit_test_setup_teardown(too_much, begin, end),
		cmocka_unit_test_setup_teardown(a_world_of_links, begin, end),
	};

	return cmocka_run_group_tests_name("beneath", tests, NULL, NULL);
}
