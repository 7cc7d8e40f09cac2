/*
 * Small files of the host, below a folder that stands for /: so that what reads them can be shown another host. Reads
 * only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Reads a file into out (size bytes), as text without line ends at its end; what does not fit is cut. path: below root,
 * without a slash at its beginning. Returns the length, or -errno of opening and reading it.
 */
int root_file_read(int root, const char *path, char *out, size_t size);
/* True if there is such a file or folder. */
bool root_file_exists(int root, const char *path);
/*
 * True if one line of a file holds a text. A file that can't be read holds nothing; *readable (may be NULL) tells it
 * from one that could.
 */
bool root_file_has_line_with(int root, const char *path, const char *text, bool *readable);
/* True if a folder has any entry. */
bool root_file_has_entries(int root, const char *path);
