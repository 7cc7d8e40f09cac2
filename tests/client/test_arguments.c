/*
 * ioasidctl with command lines that nobody would write, without a daemon: each ends with a status of its own. All
 * orders of up to three arguments, and longer ones by chance. The program's main function runs in this process, so a
 * crash ends the test.
 */
#include "../../client/tool/ioasidctl.h"
#include "../../client/tool/core/verb.h"
#include "../../include/ioasid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST = 12, RANDOM_LINES = 20000, LONG_ARGUMENT = 5000 };

static char long_argument[LONG_ARGUMENT + 1], long_option[LONG_ARGUMENT + 1];

/* Beside the verbs. Each kind of argument that the reader tells apart. */
static char *const pieces[] = {
	"--",
	"--json",
	"-j",
	"--help",
	"-h",
	"--version",
	"--socket",
	"--socket=",
	"--socket=/nowhere/at/all",
	"--mode",
	"--mode=open",
	"--failure-status",
	"--failure-status=9",
	"--snapshot",
	"--snapshot=/nowhere",
	"--policy",
	"--policy=/nowhere",
	"--as",
	"--as=",
	"--lease",
	"--lease=unit",
	"--unit",
	"--unit=a.service",
	"--grace",
	"--grace=1",
	"--reason",
	"--reason=x",
	"--wait",
	"--textfile",
	"--all",
	"--with-details",
	"--nonsense",
	"--=",
	"-",
	"---",
	"-x",
	"",
	"01:00.0",
	"true",
	"check",
	"group",
	"7",
	"\xff\xc0\x80",
	"\xc3\xa4",
	long_argument,
	long_option,
};

enum { PIECES = sizeof(pieces) / sizeof(*pieces), VERBS_MAX = 32 };

static char *words[PIECES + VERBS_MAX];
static size_t word_count, verb_count;

/* Takes the library's place, so that the ioasidd of this host, if it has one, is not asked for anything. */
int ioasid_connect(const char *path, struct ioasid **out)
{
	int (*library_connect)(const char *path, struct ioasid **out);

	*(void **)&library_connect = dlsym(RTLD_NEXT, "ioasid_connect");
	assert_non_null(library_connect);
	return library_connect(path != NULL ? path : "/nowhere/at/all", out);
}

static void run_line(char **line, int count)
{
	int status;

	line[count] = NULL;
	status = ioasidctl(count, line);
	/* 9 is what --failure-status asks for here; 126 and 127 are those of a command that can't be executed. */
	if ((status >= 0 && status <= 7) || status == 9 || status == 126 || status == 127)
		return;
	for (int i = 0; i < count; i++)
		print_error("  argument %d: %.40s\n", i, line[i]);
	fail_msg("status %d", status);
}

/* Standard output and error go nowhere while lines run. The copies of both. */
struct silence {
	int out, error;
};

static struct silence silence_begin(void)
{
	struct silence silence = { dup(STDOUT_FILENO), dup(STDERR_FILENO) };
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

	assert_true(silence.out >= 0 && silence.error >= 0 && nowhere >= 0);
	fflush(NULL);
	dup2(nowhere, STDOUT_FILENO);
	/* A sanitizer's report has to be seen: what the program prints goes through the stream. */
	setvbuf(stderr, NULL, _IOFBF, 1 << 16);
	dup2(nowhere, STDERR_FILENO);
	close(nowhere);
	return silence;
}

static void silence_end(const struct silence *silence)
{
	fflush(NULL);
	dup2(silence->out, STDOUT_FILENO);
	dup2(silence->error, STDERR_FILENO);
	close(silence->out);
	close(silence->error);
}

static int set_up(void **state)
{
	memset(long_argument, 'x', LONG_ARGUMENT);
	memset(long_option, '-', LONG_ARGUMENT);
	for (; ioasidctl_verbs[verb_count] != NULL; verb_count++) {
		assert_true(verb_count < VERBS_MAX);
		words[word_count++] = (char *)ioasidctl_verbs[verb_count]->name;
	}
	for (size_t i = 0; i < PIECES; i++)
		words[word_count++] = pieces[i];
	return 0;
}

/* All lines with one verb, or none, and two other pieces before, behind or around it. */
static void test_all_short_lines(void **state)
{
	struct silence silence = silence_begin();
	char *line[LONGEST + 1] = { "ioasidctl" };

	run_line(line, 1);
	for (size_t a = 0; a < word_count; a++) {
		line[1] = words[a];
		run_line(line, 2);
		for (size_t b = 0; b < word_count; b++) {
			line[1] = words[a];
			line[2] = words[b];
			run_line(line, 3);
		}
	}
	for (size_t verb = 0; verb < verb_count; verb++)
		for (size_t a = 0; a < PIECES; a++)
			for (size_t b = 0; b < PIECES; b++)
				for (size_t at = 0; at < 3; at++) {
					size_t other = 0;

					for (size_t i = 0; i < 3; i++)
						line[1 + i] = i == at        ? words[verb]
							      : other++ == 0 ? pieces[a]
									     : pieces[b];
					run_line(line, 4);
				}
	silence_end(&silence);
}

/* run with "--" at each place, and once more at each other: what is behind the first one after the verb is the command.
 */
static void test_every_place_of_the_separator(void **state)
{
	static char *const plain[] = {
		"--failure-status", "9", "run", "01:00.0", "no-such-command-at-all", "argument"
	};
	enum { PLAIN = sizeof(plain) / sizeof(*plain) };
	struct silence silence = silence_begin();

	for (size_t first = 0; first <= PLAIN; first++)
		for (size_t second = first; second <= PLAIN; second++) {
			char *line[LONGEST + 1] = { "ioasidctl" };
			int count = 1;

			for (size_t i = 0; i <= PLAIN; i++) {
				if (i == first)
					line[count++] = "--";
				if (i == second)
					line[count++] = "--";
				if (i < PLAIN)
					line[count++] = plain[i];
			}
			run_line(line, count);
		}
	silence_end(&silence);
}

static void test_long_lines(void **state)
{
	struct silence silence = silence_begin();
	uint32_t dice = 7;

	for (size_t round = 0; round < RANDOM_LINES; round++) {
		char *line[LONGEST + 1] = { "ioasidctl" };
		int count = 1;

		dice = dice * 1664525 + 1013904223;
		for (int length = 4 + (int)(dice >> 16) % (LONGEST - 4); count < length; count++) {
			dice = dice * 1664525 + 1013904223;
			line[count] = words[(dice >> 8) % word_count];
		}
		run_line(line, count);
	}
	silence_end(&silence);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_short_lines),
		cmocka_unit_test(test_every_place_of_the_separator),
		cmocka_unit_test(test_long_lines),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
