/*
 * Reading and writing the kernel's files: /sys, and /proc by the same rules. What they contain is taken for hostile:
 * every text is limited in length and checked for its alphabet, every number parsed strictly, and no path leads out of
 * the tree that it began in. Knows no device and no meaning of any file.
 */
#pragma once

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* The three trees that the executor looks at, as folder FDs that the structure owns. */
struct host {
	int sys;
	int proc;
	int dev;
};

/* Opens the trees below root ("" for the machine's own; tests give a folder). 0 or -errno. */
int host_open(struct host *host, const char *root);
void host_close(struct host *host);

/*
 * Opens a folder, following links as long as they stay below base. The caller owns the FD. -ENOENT: there is none;
 * -EXDEV: a link leads out of the tree; other -errno of open_beneath().
 */
int sysfs_open_folder(int base, const char *path);
/* A stream over a folder's entries, which the caller closes with closedir(); NULL with errno set. */
DIR *sysfs_list(int base, const char *path);
/* The next entry that is not "." or "..", printable, and without blanks; NULL at the end. */
const struct dirent *sysfs_next(DIR *stream);

/* A stream over a file of many lines, which the caller closes with fclose(); NULL with errno set. */
FILE *sysfs_lines(int base, const char *path);

/*
 * The rest of the first line that begins like this, cut to size, in a file of many lines. False: there is none, or the
 * file can't be read.
 */
bool sysfs_find_line(int base, const char *path, const char *beginning, char *out, size_t size);

/*
 * Reads a file of one line, without its newline, into out. 0, or: -ENOENT; -EMSGSIZE: longer than fits;
 * -EBADMSG: more than a line, or characters that are not printable ASCII; other -errno of open() and read().
 */
int sysfs_read(int folder, const char *name, char *out, size_t size);
/* As sysfs_read(), for a decimal number up to max, or a hexadecimal one that begins with 0x. -EBADMSG: none, or larger.
 */
int sysfs_read_number(int folder, const char *name, uint64_t max, uint64_t *out);
/* As sysfs_read(), for a device number written as major:minor. */
int sysfs_read_device_number(int folder, const char *name, dev_t *out);
/* The text of a link. 0, -ENOENT, -EMSGSIZE, -EBADMSG, or other -errno of readlink(). */
int sysfs_read_link(int folder, const char *name, char *out, size_t size);
/* The last component of a link's text: what it is a link to, by name. As sysfs_read_link(). */
int sysfs_read_link_name(int folder, const char *name, char *out, size_t size);
bool sysfs_has(int folder, const char *name);

/* Writes a text with one write(). 0 or -errno of open() and write(). */
int sysfs_write(int folder, const char *name, const char *text);

/* Parses a number as sysfs_read_number() does. 0 or -EBADMSG. */
int number_parse(const char *text, uint64_t max, uint64_t *out);
/* The last component of a path; the path itself if it has one only. */
const char *path_last(const char *path);
