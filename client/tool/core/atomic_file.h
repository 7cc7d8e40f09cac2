/*
 * Files that are written whole or not at all: whoever reads them by their name never sees half of one.
 */
#pragma once

#include <stdio.h>
#include <sys/types.h>

/*
 * Has write() write into a file beside path, which takes its place once that has succeeded; what had that name before
 * stays until then. mode: its permissions. write returns 0 or -errno, and so does this.
 */
int atomic_file_write(const char *path, mode_t mode, int (*write)(FILE *stream, void *context), void *context);
