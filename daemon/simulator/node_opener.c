#include "node_opener.h"

#include "simulated_kernel.h"

#include "../base/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>

/* A container, a group and a device. */
enum { FILES_MAX = 3 };

static int order(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Closes every FD but these. */
static void close_others(int *fd, size_t count)
{
	unsigned next = 0;

	qsort(fd, count, sizeof(*fd), order);
	for (size_t i = 0; i < count; i++) {
		if ((unsigned)fd[i] > next)
			close_range(next, (unsigned)fd[i] - 1, 0);
		next = (unsigned)fd[i] + 1;
	}
	close_range(next, ~0U, 0);
}

/* Starts a process that has copies of the FDs and nothing else. They are the caller's still. */
static int start_process(int *fd, size_t count, pid_t *pid)
{
	pid_t parent = getpid(), child;
	int ready[2], error;
	char byte;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -errno;
	/* Nobody waits for its end. */
	signal(SIGCHLD, SIG_IGN);
	child = fork();
	if (child != 0) {
		error = child < 0 ? -errno : 0;
		close(ready[1]);
		/* It ends when the process has closed what is none of its business. */
		while (error == 0 && read(ready[0], &byte, 1) < 0 && errno == EINTR)
			;
		close(ready[0]);
		if (error == 0)
			*pid = child;
		return error;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "node-opener");
	close_others(fd, count);
	/* Not that of a parent that has ended before that was asked for. */
	while (getppid() == parent)
		pause();
	_exit(0);
}

/* Hands the files of the kernel to a process; they are closed with it. */
static int hand_over(struct stand_in *const *file, size_t count, pid_t *pid)
{
	struct descriptors fds = { .count = 0 };
	int copy[FILES_MAX], error;

	for (size_t i = 0; i < count; i++) {
		copy[i] = stand_in_give(file[i]);
		descriptors_add(&fds, copy[i]);
	}
	error = start_process(copy, count, pid);
	/* Without a process these are the last copies. */
	descriptors_close(&fds);
	return error;
}

static int open_by_group(struct simulated_device *device, pid_t *pid)
{
	struct context *container;
	struct group_file *group;
	struct device_file *file;
	int error = kernel_open_container(device->machine, &container);

	if (error < 0)
		return error;
	error = kernel_open_group(device, &group);
	if (error < 0) {
		kernel_close_context(container);
		return error;
	}
	error = kernel_set_container(group, container);
	if (error == 0)
		error = kernel_open_by_group(group, device, &file);
	if (error < 0) {
		kernel_close_group(group);
		kernel_close_context(container);
		return error;
	}
	return hand_over((struct stand_in *[]){ &container->stand_in, &group->stand_in, &file->stand_in }, 3, pid);
}

int node_opener_start(struct simulated_device *device, uid_t uid, bool by_group, pid_t *pid)
{
	const struct kernel_features *kernel = &device->machine->kernel;
	struct device_file *file;
	int error;

	by_group = by_group || kernel_interface(kernel) == INTERFACE_GROUP;
	if (!*device->now.vfio_node)
		return -ENOENT;
	if (!acl_allows(&device->acl, uid) || (by_group && !acl_allows(&device->machine->container_acl, uid)))
		return -EACCES;
	if (by_group)
		return open_by_group(device, pid);
	error = kernel_open_device(device, &file);
	return error < 0 ? error : hand_over((struct stand_in *[]){ &file->stand_in }, 1, pid);
}
