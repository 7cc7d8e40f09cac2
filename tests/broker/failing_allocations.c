/*
 * Loaded into ioasidd before everything else: has one allocation fail that a test chooses, whoever asks for it, ioasidd
 * or a library. FAILING_ALLOCATIONS names the file that both map: how many allocations there were; the number of the
 * one that fails, 0 for none; how many have failed. With FAILING_ALLOCATIONS_TRACE each one that fails says on stderr
 * where it is.
 */
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct shared {
	_Atomic uint64_t count;
	_Atomic uint64_t chosen;
	_Atomic uint64_t failed;
};

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);

static struct shared *shared;
static int traces;

/* Not in the processes that ioasidd starts. */
__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("FAILING_ALLOCATIONS");
	int fd;

	if (!path || strcmp(program_invocation_short_name, "ioasidd") != 0)
		return;
	fd = open(path, O_RDWR | O_CLOEXEC);
	shared = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (shared == MAP_FAILED)
		abort();
	close(fd);
	traces = getenv("FAILING_ALLOCATIONS_TRACE") != NULL;
}

static void trace(void)
{
	struct shared *before = shared;
	void *frame[16];
	int count;

	shared = NULL; /* what is allocated here is not counted */
	count = backtrace(frame, sizeof(frame) / sizeof(*frame));
	backtrace_symbols_fd(frame, count, STDERR_FILENO);
	shared = before;
}

static int fails(void)
{
	if (!shared || ++shared->count != shared->chosen)
		return 0;
	shared->failed++;
	if (traces)
		trace();
	errno = ENOMEM;
	return 1;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
	return fails() ? NULL : __libc_realloc(block, size);
}

void *reallocarray(void *block, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(block, bytes);
}
