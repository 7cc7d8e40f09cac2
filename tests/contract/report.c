#include "report.h"

#include "side.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Of the transcripts, so many lines that differ are shown: the rest follows from them, or is in the file. */
enum { DIFFERENCES_SHOWN = 10 };

static FILE *transcript;
static char *transcript_text;
static size_t transcript_length;
static const char *transcript_path;
static const char *case_name;
static bool case_failed;
static int cases, failures;

void report_start(const char *path)
{
	transcript_path = path;
	transcript = open_memstream(&transcript_text, &transcript_length);
	if (!transcript)
		bail_out("out of memory");
}

static void end_case(void)
{
	if (!case_name)
		return;
	printf("%s %d - %s\n", case_failed ? "not ok" : "ok", ++cases, case_name);
	fflush(stdout);
	failures += case_failed;
	case_failed = false;
	case_name = NULL;
}

void report_case(const char *name)
{
	end_case();
	case_name = name;
	fprintf(transcript, "%s\n", name);
}

void report_note(const char *format, ...)
{
	va_list arguments;

	fputs("    ", transcript);
	va_start(arguments, format);
	vfprintf(transcript, format, arguments);
	va_end(arguments);
	fputs("\n", transcript);
}

bool report_check(bool holds, const char *format, ...)
{
	va_list arguments;

	if (holds)
		return true;
	case_failed = true;
	fputs("# ", stdout);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	fputs("\n", stdout);
	return false;
}

static void write_transcript(void)
{
	FILE *file = fopen(transcript_path, "we");

	if (!file || fputs(transcript_text, file) == EOF || fclose(file) != 0)
		bail_out("the transcript %s can't be written", transcript_path);
}

/* Shows where the transcript is not the expected one, line by line. */
static void compare(const char *expected)
{
	const char *written = transcript_text;
	int shown = 0;

	while ((*expected || *written) && shown < DIFFERENCES_SHOWN) {
		size_t wanted = strcspn(expected, "\n"), got = strcspn(written, "\n");

		if (wanted != got || strncmp(expected, written, got) != 0) {
			report_check(false, "expected: %.*s", (int)wanted, expected);
			report_check(false, "     got: %.*s", (int)got, written);
			shown++;
		}
		expected += wanted + (expected[wanted] == '\n');
		written += got + (written[got] == '\n');
	}
}

int report_finish(const char *expected)
{
	end_case();
	if (fclose(transcript) != 0)
		bail_out("out of memory");
	if (transcript_path)
		write_transcript();
	case_name = "the transcript is the expected one";
	compare(expected);
	end_case();
	printf("1..%d\n", cases);
	free(transcript_text);
	return failures;
}
