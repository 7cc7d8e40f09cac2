#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *program_name = "ioasidd";

void log_start(const char *program)
{
	program_name = program;
}

void log_line(enum log_priority priority, const char *format, ...)
{
	char text[1024], line[4096];
	int saved = errno, length = 0;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);

	if (getenv("JOURNAL_STREAM"))
		length = snprintf(line, sizeof(line), "<%d>", priority);
	length += snprintf(line + length, sizeof(line) - (size_t)length, "%s: ", program_name);
	for (const char *c = text; *c && length < (int)sizeof(line) - 8; c++) {
		/* UTF-8 passes; what could end the line or steer a terminal does not. */
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			length += snprintf(line + length, sizeof(line) - (size_t)length, "\\x%02x", (unsigned char)*c);
		else
			line[length++] = *c;
	}
	line[length++] = '\n';
	/* To the journal, which is a socket, without waiting for it: a journal that hangs costs lines, not the loop. */
	if (send(STDERR_FILENO, line, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == ENOTSOCK &&
	    write(STDERR_FILENO, line, (size_t)length) < 0)
		errno = saved; /* nobody is left to tell */
	errno = saved;
}
