#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reads to the end of the file, and one byte more than max at most. How many, or -errno. */
static ssize_t read_all(int file, char *out, size_t max)
{
	size_t length = 0;

	while (length <= max) {
		ssize_t got = read(file, out + length, max + 1 - length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		length += (size_t)got;
	}
	return (ssize_t)length;
}

static int read_regular(int file, size_t max, char **text, size_t *length, char *why, size_t why_size)
{
	struct stat status;
	ssize_t got = -EINVAL;
	char *whole;

	if (fstat(file, &status) < 0 || !S_ISREG(status.st_mode)) {
		snprintf(why, why_size, "not a regular file");
		return -EINVAL;
	}
	if (status.st_size > (off_t)max) {
		snprintf(why, why_size, "larger than %zu bytes", max);
		return -EFBIG;
	}
	whole = malloc((size_t)status.st_size + 2);
	if (whole == NULL)
		return -ENOMEM;
	got = read_all(file, whole, (size_t)status.st_size);
	if (got < 0 || got > status.st_size) {
		snprintf(why, why_size, "%s", got < 0 ? strerror((int)-got) : "the file grows while being read");
		free(whole);
		return got < 0 ? (int)got : -EBUSY;
	}
	whole[got] = '\0';
	*text = whole;
	*length = (size_t)got;
	return 0;
}

int files_read(const char *path, size_t max, char **text, size_t *length, char *why, size_t why_size)
{
	int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int result;

	if (file < 0) {
		result = -errno;
		snprintf(why, why_size, "%s", strerror(errno));
		return result;
	}
	result = read_regular(file, max, text, length, why, why_size);
	close(file);
	return result;
}

static int fill(FILE *stream, mode_t mode, int (*write)(FILE *stream, void *context), void *context)
{
	int error = write(stream, context);

	if (error == 0 &&
	    (fflush(stream) != 0 || ferror(stream) || fchmod(fileno(stream), mode) < 0 || fsync(fileno(stream)) < 0))
		error = errno != 0 ? -errno : -EIO;
	return error;
}

int files_write(const char *path, mode_t mode, int (*write)(FILE *stream, void *context), void *context)
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
