/*
 * Reads a regular file whole, up to a limit, whatever the path leads to: a FIFO holds nobody up.
 */
#pragma once

#include <stddef.h>

/*
 * *text becomes the caller's: NUL-terminated, and length bytes long. 0; -ENOMEM; or another -errno with a few words in
 * why: "it is no regular file".
 */
int files_read(const char *path, size_t max, char **text, size_t *length, char *why, size_t why_size);
