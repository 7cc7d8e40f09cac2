/*
 * Opening a path without being led out of the folder that it begins in: links are followed by reading them, never by
 * the kernel. openat2() would do it in one call, but takes its flags from memory, where no filter of system calls sees
 * them: who may open for reading only must not have it.
 */
#pragma once

/*
 * Opens path below the folder base with open()'s flags; O_CLOEXEC and O_NOCTTY come by themselves. The last component
 * may be a link, unless flags say O_NOFOLLOW. The caller owns the FD. -EXDEV: a link or ".." leads out of base; -ELOOP:
 * a link where none may be, or too many of them; -ENAMETOOLONG: longer, or deeper, than anything in /sys; other -errno
 * of openat() and readlinkat().
 */
int open_beneath(int base, const char *path, int flags);
