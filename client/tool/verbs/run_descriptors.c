#include "run_descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int run_descriptors_add(struct run_descriptors *passing, int fd, const char *name)
{
	char *copy = passing->name[passing->count];

	snprintf(copy, RUN_DESCRIPTORS_NAME_MAX, "%s", name);
	for (char *colon = strchr(copy, ':'); colon != NULL; colon = strchr(colon, ':'))
		*colon = '-';
	passing->fd[passing->count] = fd;
	return RUN_DESCRIPTORS_FIRST + (int)passing->count++;
}

static int set_number(const char *name, unsigned long number)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", number);
	return setenv(name, text, 1) < 0 ? -errno : 0;
}

static int set_environment(const struct run_descriptors *passing)
{
	char names[RUN_DESCRIPTORS_MAX * RUN_DESCRIPTORS_NAME_MAX] = "";
	char *end = names;
	int result = set_number("LISTEN_FDS", passing->count);

	if (result == 0)
		result = set_number("LISTEN_PID", (unsigned long)getpid());
	for (size_t i = 0; i < passing->count; i++) {
		if (i > 0)
			*end++ = ':';
		end = stpcpy(end, passing->name[i]); /* each fits, its ':' in the place of its NUL */
	}
	if (result == 0 && setenv("LISTEN_FDNAMES", names, 1) < 0)
		result = -errno;
	return result;
}

static void close_all(const int *fd, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(fd[i]);
}

int run_descriptors_install(const struct run_descriptors *passing)
{
	int copy[RUN_DESCRIPTORS_MAX];
	int result = 0;

	/* First out of the way, above all numbers that are to be taken: one may stand where another has to go. */
	for (size_t i = 0; i < passing->count; i++) {
		copy[i] = fcntl(passing->fd[i], F_DUPFD_CLOEXEC, RUN_DESCRIPTORS_FIRST + (int)passing->count);
		if (copy[i] < 0) {
			result = errno == EINVAL ? -EMFILE : -errno; /* EINVAL: the limit is below those numbers */
			close_all(copy, i);
			return result;
		}
	}
	result = set_environment(passing);
	if (result == 0) {
		/* Can't fail: the numbers are below those of the copies, and so below the limit. */
		for (size_t i = 0; i < passing->count; i++)
			dup2(copy[i], RUN_DESCRIPTORS_FIRST + (int)i);
	}
	close_all(copy, passing->count);
	return result;
}

void run_descriptors_close(const struct run_descriptors *passing)
{
	for (size_t i = 0; i < passing->count; i++)
		close(RUN_DESCRIPTORS_FIRST + (int)i);
}

bool run_descriptors_was_used(void)
{
	const char *fds = getenv("LISTEN_FDS");
	const char *pid = getenv("LISTEN_PID");
	char own[24];

	snprintf(own, sizeof(own), "%lu", (unsigned long)getpid());
	return fds != NULL && pid != NULL && strcmp(pid, own) == 0 && strcmp(fds, "0") != 0;
}

static bool is_executable(const char *path, bool *found)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return false;
	*found = true;
	return S_ISREG(status.st_mode) && faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

int run_command_search(const char *name)
{
	const char *path = getenv("PATH");
	bool found = false;

	if (strchr(name, '/') != NULL)
		return is_executable(name, &found) ? 0 : found ? COMMAND_NOT_EXECUTABLE : COMMAND_NOT_FOUND;
	if (path == NULL)
		path = "/bin:/usr/bin"; /* execvp()'s default */
	while (*name != '\0') {
		size_t length = strcspn(path, ":");
		char candidate[4096];
		int written = snprintf(candidate, sizeof(candidate), "%.*s%s%s", (int)length, path,
				       length > 0 ? "/" : "", name);

		if (written > 0 && (size_t)written < sizeof(candidate) && is_executable(candidate, &found))
			return 0;
		if (path[length] == '\0')
			break;
		path += length + 1;
	}
	return found ? COMMAND_NOT_EXECUTABLE : COMMAND_NOT_FOUND;
}
