/*
 * Entries with fields for systemd's journal, over its native protocol. Never waits for the journal, unlike libsystemd's
 * sd_journal_sendv(), which stands still as long as the journal does: what is not taken at once is lost, and the caller
 * is told. Values from outside are escaped, so that none can forge a field or steer a terminal. Knows no field.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define JOURNALD_SOCKET "/run/systemd/journal/socket"

enum { JOURNALD_ENTRY_MAX = 32 * 1024, JOURNALD_VALUE_MAX = 2048 };

struct journald_entry {
	size_t length;
	bool cut; /* fields were left out, because there was no room for them */
	char text[JOURNALD_ENTRY_MAX];
};

/* A socket to send from, which the caller closes, or -errno. */
int journald_open(void);
/* True if standard error leads to the journal already: lines there and entries would tell the same twice. */
bool journald_has_stderr(void);
void journald_begin(struct journald_entry *entry);
/* Adds a field, one of several of that name perhaps. Bytes that are not printable UTF-8 are written as \xHH. */
void journald_add(struct journald_entry *entry, const char *field, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* 0; -EAGAIN: the journal does not keep up; -ENOENT, -ECONNREFUSED: there is none; other -errno of sendto(). */
int journald_send(int socket, const char *path, const struct journald_entry *entry);
