#include "atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int fill(FILE *stream, mode_t mode, int (*write)(FILE *stream, void *context), void *context)
{
	int error = write(stream, context);

	if (error == 0 &&
	    (fflush(stream) != 0 || ferror(stream) || fchmod(fileno(stream), mode) < 0 || fsync(fileno(stream)) < 0))
		error = errno != 0 ? -errno : -EIO;
	return error;
}

int atomic_file_write(const char *path, mode_t mode, int (*write)(FILE *stream, void *context), void *context)
{
	char *other;
	FILE *stream;
	int file, error;

	/* Not by its ending: who collects files of a folder by theirs shall pass over it. */
	if (asprintf(&other, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	file = mkostemp(other, O_CLOEXEC);
	stream = file >= 0 ? fdopen(file, "w") : NULL;
	if (stream == NULL) {
		error = -errno;
		if (file >= 0) {
			close(file);
			unlink(other);
		}
		free(other);
		return error;
	}
	error = fill(stream, mode, write, context);
	fclose(stream);
	if (error == 0 && rename(other, path) < 0)
		error = -errno;
	if (error < 0)
		unlink(other);
	free(other);
	return error;
}
