/*
 * Lines for the operator on standard error, in the form that systemd's journal reads (<priority> in front) when
 * JOURNAL_STREAM is set, and never waits for it. Text from outside is escaped, so that no device, client or file can
 * forge a line. Knows no type of the project.
 */
#pragma once

#include <stddef.h>

enum log_priority { LOG_PRIORITY_ERROR = 3, LOG_PRIORITY_WARNING = 4, LOG_PRIORITY_NOTICE = 5, LOG_PRIORITY_DEBUG = 7 };

/* Names the program in each line. Call first; name is kept, not copied. */
void log_start(const char *program);
void log_line(enum log_priority priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_PRIORITY_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_PRIORITY_WARNING, __VA_ARGS__)
#define log_notice(...) log_line(LOG_PRIORITY_NOTICE, __VA_ARGS__)
/* What can't be, and was left undone: a fault of this program. A test fails in whose log such a line stands. */
#define log_internal_error(format, ...) log_error("internal error: " format, ##__VA_ARGS__)
