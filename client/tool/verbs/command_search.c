#include "command_search.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_executable(const char *path, bool *found)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return false;
	*found = true;
	return S_ISREG(status.st_mode) && faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

int command_search(const char *name)
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
