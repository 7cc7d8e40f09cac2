/* Uses: what a survey may say, and which use counts. Subjects: their groups. */
#include "fixture.h"

#include <string.h>

static struct use good_use(void)
{
	return (struct use){
		.device = "0000:01:00.0",
		.text = "nvme0n1 > nvme0n1p2 > mounted on /",
		.kind = USE_MOUNT,
		.severity = SEVERITY_FATAL,
	};
}

static void bad_kind(struct use *use)
{
	use->kind = USE_KIND_COUNT;
}
static void bad_severity(struct use *use)
{
	use->severity = SEVERITY_COUNT;
}
static void pid_of_a_mount(struct use *use)
{
	use->pid = 1;
}
static void negative_pid(struct use *use)
{
	use->kind = USE_HOLDER, use->pid = -1;
}
static void reserved(struct use *use)
{
	use->reserved = 1;
}
static void no_device(struct use *use)
{
	use->device[0] = '\0';
}
static void endless_device(struct use *use)
{
	memset(use->device, '0', sizeof use->device);
}
static void endless_text(struct use *use)
{
	memset(use->text, 'x', sizeof use->text);
}
static void newline(struct use *use)
{
	strcpy(use->text, "mounted on /a\nb");
}
static void escape(struct use *use)
{
	strcpy(use->text, "mounted on \x1b[2J");
}
static void no_utf8(struct use *use)
{
	strcpy(use->text, "mounted on \xff");
}
static void device_newline(struct use *use)
{
	strcpy(use->device, "0000:01:00.0\n");
}

static void test_sanity(void **state)
{
	static void (*const spoil[])(struct use * use) = {
		bad_kind,       bad_severity, pid_of_a_mount, negative_pid, reserved, no_device,
		endless_device, endless_text, newline,        escape,       no_utf8,  device_newline,
	};
	struct use good = good_use();

	assert_true(use_is_sane(&good));
	good.kind = USE_HOLDER;
	good.pid = 4711;
	assert_true(use_is_sane(&good));
	/* A holder that shows nowhere is a legal answer. */
	good.pid = 0;
	good.text[0] = '\0';
	assert_true(use_is_sane(&good));
	for (size_t i = 0; i < COUNT(spoil); i++) {
		struct use bad = good_use();

		spoil[i](&bad);
		if (use_is_sane(&bad))
			fail_msg("spoilt use %zu is taken for sane", i);
	}
}

static void test_worst(void **state)
{
	struct host host;

	host_init(&host);
	assert_null(uses_worst(&host.uses, "0000:01:00.0", SEVERITY_IDLE));
	host_add_use(&host, "0000:01:00.0", USE_DRIVER, SEVERITY_IDLE, "idle");
	host_add_use(&host, "0000:02:00.0", USE_MOUNT, SEVERITY_FATAL, "another's");
	host_add_use(&host, "0000:01:00.0", USE_NETWORK_LINK, SEVERITY_DISRUPTIVE, "first");
	host_add_use(&host, "0000:01:00.0", USE_SWAP, SEVERITY_DISRUPTIVE, "second");
	assert_string_equal(uses_worst(&host.uses, "0000:01:00.0", SEVERITY_IDLE)->text, "first");
	assert_string_equal(uses_worst(&host.uses, "0000:01:00.0", SEVERITY_DISRUPTIVE)->text, "first");
	assert_null(uses_worst(&host.uses, "0000:01:00.0", SEVERITY_FATAL));
	assert_string_equal(uses_worst(&host.uses, "0000:02:00.0", SEVERITY_FATAL)->text, "another's");
	assert_null(uses_worst(&host.uses, "0000:03:00.0", SEVERITY_IDLE));
	host_done(&host);
}

static void test_many(void **state)
{
	struct host host;

	host_init(&host);
	for (unsigned i = 0; i < 1000; i++)
		host_add_use(&host, "0000:01:00.0", USE_DRIVER, i == 700 ? SEVERITY_FATAL : SEVERITY_IDLE, "x");
	assert_int_equal(host.uses.count, 1000);
	assert_ptr_equal(uses_worst(&host.uses, "0000:01:00.0", SEVERITY_IDLE), &host.uses.use[700]);
	uses_done(&host.uses);
	assert_int_equal(host.uses.count, 0);
	host_done(&host);
}

static void test_subject_groups(void **state)
{
	struct subject subject = { .uid = 1000, .gid = 1000, .groups = { 36, 200 }, .group_count = 2 };

	assert_true(subject_has_group(&subject, 1000)); /* the primary one */
	assert_true(subject_has_group(&subject, 36));
	assert_true(subject_has_group(&subject, 200));
	assert_false(subject_has_group(&subject, 0));
	subject.group_count = 1;
	assert_false(subject_has_group(&subject, 200));
	/* A count beyond the array reads nothing behind it. */
	subject.group_count = SIZE_MAX;
	assert_false(subject_has_group(&subject, 4000000000u));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sanity),
		cmocka_unit_test(test_worst),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_subject_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
