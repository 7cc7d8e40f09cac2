#include "open_beneath.h"

#include "../../base/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* As the kernel follows that many links at most, and /sys is some 30 folders deep with everything plugged into it. */
enum { LINKS_MAX = 40, DEPTH_MAX = 64, REST_MAX = 4096 };

/* Where we are: the folders on the way down, the base first, and what of the path is left. */
struct walk {
	int folder[DEPTH_MAX];
	size_t depth; /* of the last; 0: the base, which is the caller's */
	unsigned links;
	bool inside; /* the component that was taken has a slash behind it: it has to be a folder */
	char *next;  /* in text */
	char text[REST_MAX];
};

static void leave(struct walk *walk)
{
	descriptor_close(&walk->folder[walk->depth--]);
}

/* Cuts the next component off. NULL: there is none. */
static char *take_component(struct walk *walk)
{
	char *component = walk->next + strspn(walk->next, "/");

	if (!*component)
		return NULL;
	walk->next = component + strcspn(component, "/");
	walk->inside = *walk->next == '/';
	if (walk->inside)
		*walk->next++ = '\0';
	return component;
}

/* Puts a link's text in the place of its name. 0, or -errno; -EINVAL: it is no link. */
static int follow(struct walk *walk, const char *name)
{
	char target[REST_MAX];
	ssize_t length = readlinkat(walk->folder[walk->depth], name, target, sizeof(target) - 1);
	size_t left;

	if (length < 0)
		return -errno;
	target[length] = '\0';
	if (++walk->links > LINKS_MAX)
		return -ELOOP;
	if (target[0] == '/')
		return -EXDEV;
	left = strlen(walk->next);
	if ((size_t)length + 1 + left >= sizeof(walk->text))
		return -ENAMETOOLONG;
	memmove(walk->text + length + 1, walk->next, left + 1);
	memcpy(walk->text, target, (size_t)length);
	walk->text[length] = walk->inside ? '/' : '\0';
	walk->next = walk->text;
	return 0;
}

/* Goes down into a folder, or follows a link in its place. */
static int enter(struct walk *walk, const char *name)
{
	int fd, error;

	if (walk->depth + 1 == DEPTH_MAX)
		return -ENAMETOOLONG;
	fd = openat(walk->folder[walk->depth], name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0) {
		walk->folder[++walk->depth] = fd;
		return 0;
	}
	if (errno != ENOTDIR && errno != ELOOP)
		return -errno;
	error = follow(walk, name);
	return error == -EINVAL ? -ENOTDIR : error;
}

/* Opens the folder that we are in. 1, or -errno. */
static int open_here(const struct walk *walk, int flags, int *fd)
{
	*fd = openat(walk->folder[walk->depth], ".", flags);
	return *fd < 0 ? -errno : 1;
}

/* Opens what the path ends with: 1. Or follows it: 0. */
static int open_last(struct walk *walk, const char *name, int flags, int *fd)
{
	int error, followed;

	*fd = openat(walk->folder[walk->depth], name, flags | O_NOFOLLOW);
	if (*fd >= 0)
		return 1;
	error = -errno;
	/* ENOTDIR: a folder was wanted, and a link is none either. */
	if ((error != -ELOOP && error != -ENOTDIR) || (flags & O_NOFOLLOW))
		return error;
	followed = follow(walk, name);
	return followed == -EINVAL ? error : followed;
}

/* Takes one step. 0: go on; 1: *fd is it; or -errno. */
static int step(struct walk *walk, int flags, int *fd)
{
	const char *name = take_component(walk);

	if (!name)
		return open_here(walk, flags, fd);
	if (strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") != 0)
		return walk->inside ? enter(walk, name) : open_last(walk, name, flags, fd);
	if (walk->depth == 0)
		return -EXDEV;
	leave(walk);
	return 0;
}

int open_beneath(int base, const char *path, int flags)
{
	struct walk walk;
	int result = 0, fd = -1;

	if (path[0] == '/')
		return -EXDEV;
	if (!path[0])
		return -ENOENT;
	if (strlen(path) >= sizeof(walk.text))
		return -ENAMETOOLONG;
	memcpy(walk.text, path, strlen(path) + 1);
	walk.folder[0] = base;
	walk.depth = walk.links = 0;
	walk.next = walk.text;
	while (result == 0)
		result = step(&walk, flags | O_CLOEXEC | O_NOCTTY, &fd);
	while (walk.depth > 0)
		leave(&walk);
	return result < 0 ? result : fd;
}
