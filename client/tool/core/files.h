/*
 * Whole files: read up to a limit, whatever the path leads to, so that a FIFO holds nobody up; and written whole or not
 * at all, so that a reader never sees half of one.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

/*
 * Reads a regular file. *text becomes the caller's: NUL-terminated, and length bytes long. 0; -ENOMEM; or another
 * -errno with a few words in why: "not a regular file".
 */
int files_read(const char *path, size_t max, char **text, size_t *length, char *why, size_t why_size);
/*
 * Has write() write into a file beside path, which takes its place once that has succeeded; what had that name before
 * stays until then. mode: its permissions. write returns 0 or -errno, and so does this.
 */
int files_write(const char *path, mode_t mode, int (*write)(FILE *stream, void *context), void *context);
