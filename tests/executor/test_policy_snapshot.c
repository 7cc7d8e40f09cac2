/*
 * The policy that a binder gets is the one in force, whatever happens to the files meanwhile.
 */
#include "../../daemon/base/policy_files.h"
#include "../../daemon/executor/router/policy_snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static void write_file(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

static void remove_file(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	unlink(path);
}

static int begin(void **state)
{
	snprintf(folder, sizeof(folder), "%s", "/tmp/ioasid-executor-policy-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int end(void **state)
{
	remove_file("1.json");
	remove_file("2.json");
	return rmdir(folder);
}

static struct policy *load_files(void)
{
	const char *const folders[] = { folder };
	struct diagnostics diagnostics = { 0 };
	struct policy *policy = NULL;

	assert_int_equal(policy_files_load(folders, 1, &diagnostics, &policy), 0);
	diagnostics_done(&diagnostics);
	return policy;
}

static void write_two_files(void)
{
	write_file(
		"1.json",
		"{ \"rules\": [ { \"name\": \"root's\", \"effect\": \"allow\", \"subject\": { \"user\": [\"root\"],\n"
		"  \"group\": [\"root\"] }, \"device\": { \"id\": [\"1234:11e8\"] } } ] }\n");
	write_file("2.json", "{ \"never\": [ { \"class\": [\"0106\"], \"why\": \"disks\" } ] } // comment\n");
}

static void same_policy(void **state)
{
	struct policy *policy, *copy = NULL;
	int fd = -1;

	write_two_files();
	policy = load_files();
	assert_int_equal(policy_snapshot_make(policy, &fd), 0);
	/* The files change, and the users with them: the snapshot does not. */
	write_file("1.json", "{ \"rules\": [] }\n");
	remove_file("2.json");
	assert_int_equal(policy_snapshot_load(fd, &copy), 0);
	assert_int_equal(copy->digest, policy->digest);
	assert_int_equal(copy->rule_count, 1);
	assert_int_equal(copy->never_count, 1);
	assert_string_equal(copy->rule[0].name, "root's");
	assert_int_equal(copy->file_count, 2);
	policy_free(copy);
	policy_free(policy);
	close(fd);
}

static void no_files(void **state)
{
	struct policy *policy = load_files(), *copy = NULL;
	int fd = -1;

	assert_int_equal(policy_snapshot_make(policy, &fd), 0);
	assert_int_equal(policy_snapshot_load(fd, &copy), 0);
	assert_int_equal(copy->digest, policy->digest);
	policy_free(copy);
	policy_free(policy);
	close(fd);
}

static void files_changed_since(void **state)
{
	struct policy *policy;
	int fd = -1;

	write_two_files();
	policy = load_files();
	write_file("2.json", "{ \"never\": [] }\n");
	assert_int_equal(policy_snapshot_make(policy, &fd), -EAGAIN);
	write_file("2.json", "{ \"never\": [");
	assert_int_equal(policy_snapshot_make(policy, &fd), -EAGAIN);
	remove_file("2.json");
	assert_int_equal(policy_snapshot_make(policy, &fd), -EAGAIN);
	assert_int_equal(fd, -1);
	policy_free(policy);
}

static void nobody_can_change_it(void **state)
{
	struct policy *policy;
	int fd = -1;

	write_two_files();
	policy = load_files();
	assert_int_equal(policy_snapshot_make(policy, &fd), 0);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	policy_free(policy);
	close(fd);
}

/* F12: cut anywhere, it is refused, or is a smaller whole; never is it read beyond its end. */
static void cut_snapshots(void **state)
{
	struct policy *policy, *copy;
	char bytes[4096];
	ssize_t size;
	int fd = -1;

	write_two_files();
	policy = load_files();
	assert_int_equal(policy_snapshot_make(policy, &fd), 0);
	size = pread(fd, bytes, sizeof(bytes), 0);
	assert_true(size > 0 && size < (ssize_t)sizeof(bytes));
	close(fd);
	for (ssize_t length = 0; length <= size; length++) {
		fd = memfd_create("cut", MFD_CLOEXEC);
		assert_int_equal(write(fd, bytes, (size_t)length), length);
		copy = NULL;
		if (policy_snapshot_load(fd, &copy) == 0)
			assert_int_equal(copy->digest == policy->digest, length == size);
		else
			assert_null(copy);
		policy_free(copy);
		close(fd);
	}
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(same_policy, begin, end),
		cmocka_unit_test_setup_teardown(no_files, begin, end),
		cmocka_unit_test_setup_teardown(files_changed_since, begin, end),
		cmocka_unit_test_setup_teardown(nobody_can_change_it, begin, end),
		cmocka_unit_test_setup_teardown(cut_snapshots, begin, end),
	};

	return cmocka_run_group_tests_name("policy_snapshot", tests, NULL, NULL);
}
