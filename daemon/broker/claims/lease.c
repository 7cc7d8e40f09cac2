#include "lease.h"

#include "release.h"

#include "../../base/log.h"
#include "../../base/peer_subject.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static void end(struct claim_runtime *runtime)
{
	claim_runtime_tell(runtime, (struct news){ .kind = NEWS_ENDING, .message = "its lease ended" });
	release_start(runtime);
}

static int on_descriptor(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct claim_runtime *runtime = context;

	if (!(revents & (EPOLLHUP | EPOLLERR)))
		return 0;
	runtime->lease_source = sd_event_source_disable_unref(runtime->lease_source);
	end(runtime);
	return 0;
}

static int on_process(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct claim_runtime *runtime = context;

	runtime->lease_source = sd_event_source_disable_unref(runtime->lease_source);
	end(runtime);
	return 0;
}

static void on_unit_runs(void *context, const char *invocation)
{
	struct claim_runtime *runtime = context;

	if (strcmp(runtime->claim->lease.invocation, invocation) == 0)
		return;
	snprintf(runtime->claim->lease.invocation, sizeof(runtime->claim->lease.invocation), "%s", invocation);
	claim_runtime_record(runtime);
}

static void on_unit_ended(void *context)
{
	struct claim_runtime *runtime = context;

	runtime->lease_unit = unit_watch_free(runtime->lease_unit);
	end(runtime);
}

static void on_unit_unknown(void *context, const char *message)
{
	const struct claim_runtime *runtime = context;

	log_warning("claim %s: cannot tell from systemd whether %s runs, so the claim continues: %s",
		    runtime->claim->id, runtime->claim->lease.unit, message);
}

static const struct unit_watch_events unit_events = { .runs = on_unit_runs,
						      .ended = on_unit_ended,
						      .unknown = on_unit_unknown };

/* Watches it, and takes fd over on success; -1 for kinds that have none. 0 or -errno. */
static int watch(struct claim_runtime *runtime, int fd)
{
	struct claim *claim = runtime->claim;
	sd_event *event = runtime->registry->event;
	int error = 0;

	switch (claim->lease.kind) {
	case LEASE_DESCRIPTOR:
		/* No events asked for: the hang-up is told always, and what a client writes into its lease is nobody's.
		 */
		error = sd_event_add_io(event, &runtime->lease_source, fd, 0, on_descriptor, runtime);
		break;
	case LEASE_PROCESS:
		error = sd_event_add_io(event, &runtime->lease_source, fd, EPOLLIN, on_process, runtime);
		break;
	case LEASE_UNIT:
		error = units_watch(runtime->registry->units, claim->lease.unit,
				    claim->lease.invocation[0] ? claim->lease.invocation : NULL, &unit_events, runtime,
				    &runtime->lease_unit);
		break;
	case LEASE_OPERATOR:
	case LEASE_KIND_COUNT:
		break;
	}
	if (error < 0)
		return error;
	runtime->lease = fd;
	runtime->unstored = false;
	return 0;
}

int lease_begin(struct claim_runtime *runtime, int process, int *client)
{
	int pair[2] = { -1, -1 }, error;

	switch (runtime->claim->lease.kind) {
	case LEASE_DESCRIPTOR:
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			return -errno;
		break;
	case LEASE_PROCESS:
		pair[0] = fcntl(process, F_DUPFD_CLOEXEC, 3);
		if (pair[0] < 0)
			return -errno;
		break;
	case LEASE_UNIT:
	case LEASE_OPERATOR:
	case LEASE_KIND_COUNT:
		break;
	}
	error = watch(runtime, pair[0]);
	if (error < 0) {
		descriptor_close(&pair[0]);
		descriptor_close(&pair[1]);
		return error;
	}
	claim_runtime_store(runtime);
	*client = pair[1];
	return 0;
}

/* One end of a pair that was made here: connected, and without a name at either end. */
static bool is_end_of_pair(int fd, const struct claim *claim)
{
	struct sockaddr_un own, peer;
	socklen_t own_size = sizeof(own), peer_size = sizeof(peer);
	int type = 0;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){ sizeof(type) }) == 0 && type == SOCK_STREAM &&
	       getsockname(fd, (struct sockaddr *)&own, &own_size) == 0 && own.sun_family == AF_UNIX &&
	       own_size == sizeof(own.sun_family) && getpeername(fd, (struct sockaddr *)&peer, &peer_size) == 0 &&
	       peer_size == sizeof(peer.sun_family);
}

/* Of the process that the claim lives by, or that has ended. A folder of /proc takes signals, too, and tells no end. */
static bool is_its_process(int fd, const struct claim *claim)
{
	struct stat status;
	pid_t pid;

	if (fstat(fd, &status) < 0 || S_ISDIR(status.st_mode) ||
	    (pidfd_send_signal(fd, 0, NULL, 0) < 0 && errno != ESRCH && errno != EPERM))
		return false;
	pid = peer_process_of(fd);
	return pid <= 0 || claim->pid == 0 || pid == claim->pid;
}

int lease_take_up(struct claim_runtime *runtime)
{
	enum lease_kind kind = runtime->claim->lease.kind;
	fdstore_fits fits = kind == LEASE_DESCRIPTOR ? is_end_of_pair : kind == LEASE_PROCESS ? is_its_process : NULL;
	int fd = fits ? fdstore_take(runtime->registry->store, STORED_LEASE, runtime->claim, fits) : -1, error;

	if (fd < 0 && fits)
		return -ENOENT;
	error = watch(runtime, fd);
	if (error < 0)
		descriptor_close(&fd);
	return error;
}

void lease_tell(const struct claim_runtime *runtime, const char *line)
{
	/* Nobody has to read it, and nobody is waited for. */
	if (runtime->claim->lease.kind == LEASE_DESCRIPTOR && runtime->lease >= 0 &&
	    send(runtime->lease, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_notice("claim %s: its client does not read what its lease says", runtime->claim->id);
}
