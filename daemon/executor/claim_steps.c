#include "claim_steps.h"

#include "inspect.h"
#include "survey_block.h"
#include "vfio.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The device of a step, which has to be there. NULL: it is gone. */
static struct run_device *present(struct run *run, const struct step *step)
{
	struct run_device *device = run_device_of(run, step);

	if (device && device->folder >= 0 && !inspect_is_gone(device->folder))
		return device;
	run_fail(run, -ENODEV, "%s was removed meanwhile", step->device);
	return NULL;
}

static int make_override(struct run *run, const struct step *step)
{
	const struct run_device *device = present(run, step);

	if (!device)
		return -ENODEV;
	struct driver_subject subject = run_subject(run, device);

	return driver_write_override(&subject, step->value, run->why);
}

static int undo_override(struct run *run, const struct step *step)
{
	const struct run_device *device = present(run, step);
	char now[DRIVER_NAME_MAX];
	int error;

	if (!device)
		return 0; /* there is nothing left to put back */
	struct driver_subject subject = run_subject(run, device);

	error = driver_read_override(&subject, now, run->why);
	if (error < 0 || strcmp(now, step->before) == 0)
		return error;
	return driver_write_override(&subject, step->before, run->why);
}

/* Unbinds with the disks of the device held, so that nobody can begin to use them on the way. */
static int make_unbind(struct run *run, const struct step *step)
{
	const struct run_device *device = present(run, step);
	char disk[64] = "";
	int *held, error;
	size_t count;

	if (!device)
		return -ENODEV;
	error = block_hold(run->host, step->device, &held, &count, disk);
	if (error == -EBUSY)
		return run_fail(run, error, "%s: its disk %s is in use", step->device, disk);
	if (error < 0)
		return run_fail(run, error, "%s: its disk %s can't be opened: %s", step->device, disk, strerror(-error));
	struct driver_subject subject = run_subject(run, device);

	error = driver_unbind(&subject, step->before, run->why);
	for (size_t i = 0; i < count; i++)
		close(held[i]);
	free(held);
	return error;
}

/* Gives the driver back. Nothing else can bind then: the override that is in force now names another one. */
static int undo_unbind(struct run *run, const struct step *step)
{
	const struct run_device *device = present(run, step);
	char now[DRIVER_NAME_MAX];
	int error;

	if (!device)
		return 0;
	struct driver_subject subject = run_subject(run, device);

	error = driver_read(&subject, now, run->why);
	if (error < 0 || strcmp(now, step->before) == 0)
		return error;
	error = driver_write_override(&subject, step->before, run->why);
	return error == 0 ? driver_probe(&subject, step->before, run->why) : error;
}

static int make_probe(struct run *run, const struct step *step)
{
	const struct run_device *device = present(run, step);
	char node[32];
	int error;

	if (!device)
		return -ENODEV;
	struct driver_subject subject = run_subject(run, device);

	error = driver_probe(&subject, step->value, run->why);
	if (error < 0)
		return error;
	if (!vfio_node_of(device->folder, node))
		return run_fail(run, -ENODEV, "%s: %s has bound it, but offers no VFIO device: this kernel lacks VFIO cdevs",
				step->device, step->value);
	return 0;
}

static int undo_probe(struct run *run, const struct step *step)
{
	const struct run_device *device = present(run, step);
	char now[DRIVER_NAME_MAX];
	int error;

	if (!device)
		return 0;
	struct driver_subject subject = run_subject(run, device);

	error = driver_read(&subject, now, run->why);
	if (error < 0 || strcmp(now, step->value) != 0)
		return error;
	return driver_unbind(&subject, step->value, run->why);
}

static int make_context(struct run *run, const struct step *step)
{
	if (step->number == 1) {
		if (!run->context_passed || !vfio_is_context(run->host, run->context))
			return run_fail(run, -EBADF, "the claim's iommufd did not come with the plan");
		return 0;
	}
	if (run->context_passed)
		return run_fail(run, -EBADF, "an iommufd came with a plan that opens one");
	return vfio_open_context(run->host, &run->context, run->why);
}

static int undo_context(struct run *run, const struct step *step)
{
	descriptor_close(&run->context);
	return 0;
}

static int make_open(struct run *run, const struct step *step)
{
	struct run_device *device = present(run, step);

	if (!device)
		return -ENODEV;
	if (device->cdev >= 0)
		return run_fail(run, -EBUSY, "%s is opened twice by the plan", step->device);
	return vfio_open_device(run->host, step->device, device->folder, &device->cdev, run->why);
}

static int undo_open(struct run *run, const struct step *step)
{
	struct run_device *device = run_device_of(run, step);

	descriptor_close(&device->cdev);
	return 0;
}

static int make_bind(struct run *run, const struct step *step)
{
	const struct run_device *device = present(run, step);

	if (!device)
		return -ENODEV;
	return vfio_bind(run->host, step->device, device->cdev, run->context, run->why);
}

static int make_ioas(struct run *run, const struct step *step)
{
	if (step->number != 0) {
		run->ioas_id = (uint32_t)step->number;
		return 0;
	}
	return vfio_allocate_ioas(run->context, &run->ioas_id, run->why);
}

static int make_attach(struct run *run, const struct step *step)
{
	const struct run_device *device = present(run, step);

	if (!device)
		return -ENODEV;
	return vfio_attach(step->device, device->cdev, run->ioas_id, run->why);
}

/* True while the process that the pidfd stands for lives, so that its pid can't mean another. */
static bool peer_lives(const struct run *run)
{
	struct pollfd state = { .fd = run->peer_fd, .events = POLLIN };

	return poll(&state, 1, 0) == 0;
}

/* True if the pidfd is of that pid: nobody else is to be given a limit. */
static bool peer_is_right(const struct run *run)
{
	char path[64], *line = NULL;
	size_t size = 0;
	bool right = false;
	FILE *stream;

	snprintf(path, sizeof(path), "self/fdinfo/%d", run->peer_fd);
	stream = sysfs_lines(run->host->proc, path);
	while (stream && !right && getline(&line, &size, stream) > 0) {
		line[strcspn(line, "\n")] = '\0';
		uint64_t pid;

		right = strncmp(line, "Pid:\t", 5) == 0 && number_parse(line + 5, INT32_MAX, &pid) == 0 &&
			(pid_t)pid == run->peer;
	}
	free(line);
	if (stream)
		fclose(stream);
	return right;
}

/* Raises the limit; one that is higher already stays. */
static int make_memlock(struct run *run, const struct step *step)
{
	struct rlimit limit;

	if (run->peer <= 0 || run->peer_fd < 0 || !peer_is_right(run))
		return run_fail(run, -ESRCH, "the client whose memlock limit is to be set is not known");
	if (!peer_lives(run) || prlimit(run->peer, RLIMIT_MEMLOCK, NULL, &run->limit_before) < 0)
		return run_fail(run, -ESRCH, "the client [%d] has ended", run->peer);
	limit = run->limit_before;
	if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < step->number)
		limit.rlim_cur = step->number;
	if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < limit.rlim_cur)
		limit.rlim_max = limit.rlim_cur;
	if (prlimit(run->peer, RLIMIT_MEMLOCK, &limit, NULL) < 0) {
		int error = -errno;

		return run_fail(run, error, "the memlock limit of the client [%d] can't be set: %s", run->peer,
				strerror(-error));
	}
	run->limit_set = true;
	return peer_lives(run) ? 0 : run_fail(run, -ESRCH, "the client [%d] has ended", run->peer);
}

static int undo_memlock(struct run *run, const struct step *step)
{
	if (!run->limit_set || !peer_lives(run))
		return 0;
	if (prlimit(run->peer, RLIMIT_MEMLOCK, &run->limit_before, NULL) < 0 && errno != ESRCH) {
		int error = -errno;

		return run_fail(run, error, "the memlock limit of the client [%d] can't be put back: %s", run->peer,
				strerror(-error));
	}
	run->limit_set = false;
	return 0;
}

const struct claim_step *claim_step_of(enum step_kind kind)
{
	/* A device is unbound and detached, and an IOAS freed, by closing: those have no undo of their own. */
	static const struct claim_step steps[STEP_KIND_COUNT] = {
		[STEP_OVERRIDE] = { make_override, undo_override },
		[STEP_UNBIND] = { make_unbind, undo_unbind },
		[STEP_PROBE] = { make_probe, undo_probe },
		[STEP_CONTEXT] = { make_context, undo_context },
		[STEP_OPEN] = { make_open, undo_open },
		[STEP_BIND] = { make_bind, NULL },
		[STEP_IOAS] = { make_ioas, NULL },
		[STEP_ATTACH] = { make_attach, NULL },
		[STEP_MEMLOCK] = { make_memlock, undo_memlock },
	};

	return kind < STEP_KIND_COUNT && steps[kind].make ? &steps[kind] : NULL;
}
