#include "../../daemon/base/journald.h"

#include "../../daemon/base/descriptors.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static struct journald_entry entry;

static void assert_text(const char *expected)
{
	assert_int_equal(entry.length, strlen(expected));
	assert_memory_equal(entry.text, expected, entry.length);
}

static void test_fields_stand_in_their_order(void **state)
{
	journald_begin(&entry);
	journald_add(&entry, "MESSAGE", "claim %s: %d", "c1", 7);
	journald_add(&entry, "IOASID_DEVICE", "%s", "0000:01:00.0");
	journald_add(&entry, "IOASID_DEVICE", "%s", "");
	assert_text("MESSAGE=claim c1: 7\nIOASID_DEVICE=0000:01:00.0\nIOASID_DEVICE=\n");
	assert_false(entry.cut);
}

/* S9: no value begins a field or an entry of its own, and none reaches a terminal as a command. */
static void test_values_are_escaped(void **state)
{
	journald_begin(&entry);
	journald_add(&entry, "IOASID_NOTE", "%s", "a\nPRIORITY=0\n\nb");
	journald_add(&entry, "IOASID_NOTE", "%s", "\x1b[31m\xff\xe2\x80\xae%s%n");
	journald_add(&entry, "IOASID_NOTE", "%s", "gr\xc3\xbc\xc3\x9f");
	assert_text("IOASID_NOTE=a\\x0aPRIORITY=0\\x0a\\x0ab\n"
		    "IOASID_NOTE=\\x1b[31m\\xff\\xe2\\x80\\xae%s%n\n"
		    "IOASID_NOTE=gr\xc3\xbc\xc3\x9f\n");
}

static void test_what_has_no_room_is_left_out_whole(void **state)
{
	char value[JOURNALD_VALUE_MAX * 2];
	size_t before = 0;

	memset(value, 'x', sizeof value - 1);
	value[sizeof value - 1] = '\0';
	journald_begin(&entry);
	for (int i = 0; i < 100 && !entry.cut; i++) {
		before = entry.length;
		journald_add(&entry, "LONG", "%s", value);
	}
	assert_true(entry.cut);
	assert_int_equal(entry.length, before);
	assert_int_equal(entry.text[entry.length - 1], '\n');
	assert_true(entry.length > JOURNALD_ENTRY_MAX - JOURNALD_VALUE_MAX - 16);
	/* A value that is too long itself ends in dots. */
	assert_memory_equal(entry.text + entry.length - 4, "...\n", 4);
}

static void test_a_full_journal_is_not_waited_for(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	autoclose int claim_files = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), ours = journald_open();
	int sent = 0, error = 0;
	char got[64];

	snprintf(address.sun_path, sizeof address.sun_path, "/tmp/ioasidd-journald-%d", (int)getpid());
	assert_int_equal(bind(claim_files, (const struct sockaddr *)&address, sizeof address), 0);
	journald_begin(&entry);
	journald_add(&entry, "MESSAGE", "%s", "hello");
	while (error == 0 && sent < 1000000) {
		error = journald_send(ours, address.sun_path, &entry);
		sent += error == 0;
	}
	assert_int_equal(error, -EAGAIN);
	assert_true(sent > 0);
	assert_int_equal(recv(claim_files, got, sizeof got, 0), 14);
	assert_memory_equal(got, "MESSAGE=hello\n", 14);
	assert_int_equal(journald_send(ours, address.sun_path, &entry), 0);
	unlink(address.sun_path);
	assert_int_equal(journald_send(ours, address.sun_path, &entry), -ENOENT);
	char path[200];

	memset(path, 'x', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	assert_int_equal(journald_send(ours, path, &entry), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields_stand_in_their_order),
		cmocka_unit_test(test_values_are_escaped),
		cmocka_unit_test(test_what_has_no_room_is_left_out_whole),
		cmocka_unit_test(test_a_full_journal_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
