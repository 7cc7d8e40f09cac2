/* The policy's files: which are read, in which order, what masks what, and what is refused before it is parsed. */
#include "../../daemon/base/policy_files.h"

#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RULES(name) \
	"{\"rules\": [{\"name\": \"" name "\", \"effect\": \"deny\", \"device\": {\"address\": \"" name "\"}}]}"
#define ONE RULES("0000:01:00.0")
#define TWO RULES("0000:02:00.0")
#define THREE RULES("0000:03:00.0")

/* Three folders, the last of which is none of the policy's. */
struct folders {
	char base[64], etc[80], usr[80], home[80];
};

static int make_folders(void **state)
{
	struct folders *folders = calloc(1, sizeof *folders);

	strcpy(folders->base, "/tmp/ioasidd-policy-XXXXXX");
	if (!mkdtemp(folders->base))
		return -1;
	snprintf(folders->etc, sizeof folders->etc, "%s/etc", folders->base);
	snprintf(folders->usr, sizeof folders->usr, "%s/usr", folders->base);
	snprintf(folders->home, sizeof folders->home, "%s/home", folders->base);
	*state = folders;
	return mkdir(folders->etc, 0755) | mkdir(folders->usr, 0755) | mkdir(folders->home, 0755);
}

static int remove_folders(void **state)
{
	struct folders *folders = *state;
	char command[128];

	snprintf(command, sizeof command, "rm -rf '%s'", folders->base);
	if (system(command) != 0)
		return -1;
	free(folders);
	return 0;
}

static void write_file(const char *folder, const char *name, const char *text, size_t length)
{
	char path[256];
	int fd;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, length), length);
	close(fd);
}

static void put(const char *folder, const char *name, const char *text)
{
	write_file(folder, name, text, strlen(text));
}

static void link_to(const char *folder, const char *name, const char *target)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	assert_int_equal(symlink(target, path), 0);
}

static struct policy *load(const struct folders *folders)
{
	const char *const folder[] = { folders->etc, folders->usr };
	struct diagnostics diagnostics = { .item = NULL };
	struct policy *policy = NULL;
	int error = policy_files_load(folder, 2, &diagnostics, &policy);

	for (size_t i = 0; i < diagnostics.count; i++)
		print_error("%s: %s\n", diagnostics.item[i].file, diagnostics.item[i].message);
	assert_int_equal(error, 0);
	diagnostics_done(&diagnostics);
	return policy;
}

/* Refused whole: the only error is of that file, or folder for NULL. */
static void refused(const struct folders *folders, const char *name, const char *reason)
{
	const char *const folder[] = { folders->etc, folders->usr };
	struct diagnostics diagnostics = { .item = NULL };
	struct policy *policy = NULL;
	char path[256];

	snprintf(path, sizeof path, "%s%s%s", folders->etc, name ? "/" : "", name ? name : "");
	assert_int_equal(policy_files_load(folder, 2, &diagnostics, &policy), -EINVAL);
	assert_null(policy);
	assert_int_equal(diagnostics.count, 1);
	assert_string_equal(diagnostics.item[0].file, path);
	assert_contains(diagnostics.item[0].message, reason);
	diagnostics_done(&diagnostics);
}

static void test_order_and_masks(void **state)
{
	const struct folders *folders = *state;
	struct policy *policy;

	put(folders->usr, "10-a.json", ONE);
	put(folders->etc, "20-b.json", TWO);
	put(folders->usr, "30-c.json", THREE);
	put(folders->etc, "README", "no policy");
	put(folders->etc, ".10-a.json", "hidden");
	put(folders->etc, "50.json.bak", "no policy");
	policy = load(folders);
	assert_int_equal(policy->rule_count, 3);
	assert_string_equal(policy->rule[0].name, "0000:01:00.0");
	assert_string_equal(policy->rule[1].name, "0000:02:00.0");
	assert_string_equal(policy->rule[2].name, "0000:03:00.0");
	policy_free(policy);
	/* The same name masks, what is in it counts; a link to /dev/null masks with nothing. */
	put(folders->etc, "10-a.json", RULES("0000:09:00.0"));
	link_to(folders->etc, "30-c.json", "/dev/null");
	policy = load(folders);
	assert_int_equal(policy->rule_count, 2);
	assert_string_equal(policy->rule[0].name, "0000:09:00.0");
	policy_free(policy);
	/* What is masked may be as wrong as it likes. */
	put(folders->usr, "30-c.json", "{");
	policy = load(folders);
	policy_free(policy);
}

static void test_no_folders(void **state)
{
	const char *const folder[] = { "/nonexistent/ioasidd" };
	struct diagnostics diagnostics = { .item = NULL };
	struct policy *policy = NULL;

	assert_int_equal(policy_files_load(folder, 1, &diagnostics, &policy), 0);
	assert_int_equal(policy->rule_count, 0);
	policy_free(policy);
}

static void test_links(void **state)
{
	const struct folders *folders = *state;
	struct policy *policy;
	char target[256];

	put(folders->usr, "one.json", ONE);
	put(folders->etc, "available", TWO);
	link_to(folders->etc, "two.json", "available");
	link_to(folders->etc, "one.json", "../usr/one.json");
	policy = load(folders);
	assert_int_equal(policy->rule_count, 2);
	policy_free(policy);
	/* Out of the folders, even to a file of root's. */
	put(folders->home, "mine.json", THREE);
	snprintf(target, sizeof target, "%s/mine.json", folders->home);
	link_to(folders->etc, "three.json", target);
	refused(folders, "three.json", "is a link out of the policy folders");
}

static void test_link_to_link(void **state)
{
	const struct folders *folders = *state;

	put(folders->home, "mine", ONE);
	link_to(folders->etc, "hop", "../home/mine");
	link_to(folders->etc, "one.json", "hop");
	refused(folders, "one.json", "it is a link itself");
}

static void test_dangling_link(void **state)
{
	link_to(((struct folders *)*state)->etc, "one.json", "nothing");
	refused(*state, "one.json", "can't be opened: No such file");
}

static void test_fifo(void **state)
{
	const struct folders *folders = *state;
	char path[256];

	snprintf(path, sizeof path, "%s/one.json", folders->etc);
	assert_int_equal(mkfifo(path, 0644), 0);
	refused(folders, "one.json", "is not a regular file");
}

static void test_folder_as_file(void **state)
{
	const struct folders *folders = *state;
	char path[256];

	snprintf(path, sizeof path, "%s/one.json", folders->etc);
	assert_int_equal(mkdir(path, 0755), 0);
	refused(folders, "one.json", "is not a regular file");
}

static void test_writable(void **state)
{
	const struct folders *folders = *state;
	char path[256];

	put(folders->etc, "one.json", ONE);
	snprintf(path, sizeof path, "%s/one.json", folders->etc);
	assert_int_equal(chmod(path, 0664), 0);
	refused(folders, "one.json", "can be written by others (mode 0664)");
	assert_int_equal(chmod(path, 0646), 0);
	refused(folders, "one.json", "can be written by others (mode 0646)");
	assert_int_equal(chmod(path, 0600), 0);
	policy_free(load(folders));
	assert_int_equal(chmod(folders->etc, 01777), 0);
	refused(folders, NULL, "can be written by others (mode 1777)");
}

static void test_foreign(void **state)
{
	const struct folders *folders = *state;
	char path[256];

	if (geteuid() != 0)
		skip();
	put(folders->etc, "one.json", ONE);
	snprintf(path, sizeof path, "%s/one.json", folders->etc);
	assert_int_equal(chown(path, 1000, 0), 0);
	refused(folders, "one.json", "belongs to uid 1000");
	assert_int_equal(chown(path, 0, 0), 0);
	assert_int_equal(chown(folders->etc, 1000, 0), 0);
	refused(folders, NULL, "belongs to uid 1000");
}

static void test_contents(void **state)
{
	const struct folders *folders = *state;
	static const char nul[] = "{}\0{}", mark[] = "\xef\xbb\xbf{}";
	char *large = malloc(POLICY_FILE_MAX + 1);

	memset(large, ' ', POLICY_FILE_MAX + 1);
	memcpy(large, "{}", 2);
	write_file(folders->etc, "one.json", large, POLICY_FILE_MAX);
	policy_free(load(folders));
	write_file(folders->etc, "one.json", large, POLICY_FILE_MAX + 1);
	refused(folders, "one.json", "larger than 1048576 bytes");
	free(large);
	write_file(folders->etc, "one.json", nul, sizeof nul - 1);
	refused(folders, "one.json", "control character 0x00");
	write_file(folders->etc, "one.json", mark, sizeof mark - 1);
	refused(folders, "one.json", "byte order mark");
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, make_folders, remove_folders)
	const struct CMUnitTest tests[] = {
		ROW(test_order_and_masks), ROW(test_no_folders), ROW(test_links),          ROW(test_link_to_link),
		ROW(test_dangling_link),   ROW(test_fifo),       ROW(test_folder_as_file), ROW(test_writable),
		ROW(test_foreign),         ROW(test_contents),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
