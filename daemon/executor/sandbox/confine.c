#include "confine.h"

#include "../../base/log.h"
#include "call_filter.h"
#include "../os/mounts.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { NO_CAPABILITY = -1, CAPABILITIES_MAX = 3 };

/*
 * What each role keeps. CAP_SYS_RESOURCE: the accounting mode of an iommufd, and other processes' memlock limits.
 * CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH: /proc/PID/fd of other users. CAP_AUDIT_WRITE: the kernel's audit log.
 * CAP_KILL: processes of other users. Never CAP_IPC_LOCK, which would switch off the counting of pinned memory, and
 * never CAP_SYS_MODULE.
 */
static const struct {
	const char *name;
	int capability[CAPABILITIES_MAX];
	enum call_filter filter;
} roles[WORKER_ROLE_COUNT] = {
	[WORKER_BINDER] = { "binder", { CAP_SYS_RESOURCE, NO_CAPABILITY, NO_CAPABILITY }, CALL_FILTER_BINDER },
	[WORKER_SURVEYOR] = { "surveyor",
			      { CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, NO_CAPABILITY },
			      CALL_FILTER_SURVEYOR },
	[WORKER_WATCHER] = { "watcher", { NO_CAPABILITY, NO_CAPABILITY, NO_CAPABILITY }, CALL_FILTER_WATCHER },
	[WORKER_RECORDER] = { "recorder", { CAP_AUDIT_WRITE, NO_CAPABILITY, NO_CAPABILITY }, CALL_FILTER_RECORDER },
	[WORKER_STOPPER] = { "stopper", { CAP_KILL, NO_CAPABILITY, NO_CAPABILITY }, CALL_FILTER_STOPPER },
};

/*
 * What only the way there needs, and only without systemd, which has done both: the surveyor's mounts, and dropping the
 * bounding set.
 */
static const int preparing[] = { CAP_SYS_ADMIN, CAP_SETPCAP };

const char *worker_role_to_string(enum worker_role role)
{
	return (unsigned)role < WORKER_ROLE_COUNT ? roles[role].name : NULL;
}

int worker_role_from_string(const char *text)
{
	for (int role = 0; role < WORKER_ROLE_COUNT; role++)
		if (strcmp(roles[role].name, text) == 0)
			return role;
	return -EINVAL;
}

static bool contains(const int *list, size_t count, int capability)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] == capability)
			return true;
	return false;
}

/*
 * Keeps the listed capabilities, as far as they are there, and gives up all others. effective: in force at once.
 */
static int keep_capabilities(const int *list, size_t count, bool effective)
{
	bool had[CAP_LAST_CAP + 1];
	int error;

	if (capng_get_caps_process() < 0)
		return -EIO;
	for (int i = 0; i <= CAP_LAST_CAP; i++)
		had[i] = capng_have_capability(CAPNG_PERMITTED, (unsigned)i) == 1;
	capng_clear(CAPNG_SELECT_ALL);
	for (int i = 0; i <= CAP_LAST_CAP; i++)
		if (had[i] && contains(list, count, i))
			capng_update(CAPNG_ADD,
				     (capng_type_t)(CAPNG_PERMITTED | CAPNG_BOUNDING_SET |
						    (effective ? CAPNG_EFFECTIVE : 0)),
				     (unsigned)i);
	/* Without CAP_SETPCAP the bounding set stays; under no_new_privs nothing can be regained through it. */
	error = capng_apply(had[CAP_SETPCAP] ? CAPNG_SELECT_ALL : CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT);
	return error == 0 ? 0 : -EPERM;
}

static int refuse(const char *what, int error)
{
	log_error("%s failed: %s. The executor must be started as root by ioasidd or by its unit", what,
		  strerror(-error));
	return error;
}

/* Takes mounts out of our namespace that a survey does not need: kept here, they could never be unmounted by the host.
 */
static int drop_mount(void *context, const struct mount_entry *mount)
{
	static const char *const needed[] = { "/sys", "/proc", "/dev" };

	if (strcmp(mount->point, "/") == 0)
		return 0;
	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
		size_t length = strlen(needed[i]);

		if (strncmp(mount->point, needed[i], length) == 0 &&
		    (mount->point[length] == '\0' || mount->point[length] == '/'))
			return 0;
	}
	/* It may be gone with the one it was on. */
	umount2(mount->point, MNT_DETACH | UMOUNT_NOFOLLOW);
	return 0;
}

/* A view of its own: the kernel's file systems and the root, all read-only. */
static int seclude(void)
{
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY };
	struct host host;
	int error;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return -errno;
	error = host_open(&host, "");
	if (error < 0)
		return error;
	error = mounts_read_process(&host, getpid(), drop_mount, NULL);
	host_close(&host);
	if (error == 0 && mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attributes, sizeof(attributes)) < 0)
		error = -errno;
	return error;
}

/* True if this process may have the capability. */
static bool may_have(int capability)
{
	return capng_get_caps_process() == 0 && capng_have_capability(CAPNG_PERMITTED, (unsigned)capability) == 1;
}

static int filter_calls(enum call_filter filter)
{
	int error = call_filter_load(filter, may_have(CAP_SYS_ADMIN));

	if (error == -ENOSYS) {
		log_notice("this kernel has no system call filters (CONFIG_SECCOMP_FILTER): continuing without");
		return 0;
	}
	return error < 0 ? refuse("filtering system calls", error) : 0;
}

static void ignore_signals(void)
{
	static const int ignored[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2 };
	sigset_t none;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int confine_worker(enum worker_role role)
{
	char name[32] = "ioasid-";
	int error;

	strcat(name, roles[role].name);
	prctl(PR_SET_NAME, name);
	ignore_signals();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return refuse("setting no_new_privs", -errno);
	/* Its filter lets it open nothing for writing; this is another wall behind that one. */
	if (role == WORKER_SURVEYOR && may_have(CAP_SYS_ADMIN) && (error = seclude()) < 0)
		log_notice("surveys run without a read-only view of the file systems: %s", strerror(-error));
	error = keep_capabilities(roles[role].capability, CAPABILITIES_MAX, true);
	return error < 0 ? refuse("giving up capabilities", error) : filter_calls(roles[role].filter);
}

int confine_main(void)
{
	int all[WORKER_ROLE_COUNT * CAPABILITIES_MAX + sizeof(preparing) / sizeof(*preparing)];
	struct rlimit files;
	size_t count = 0;
	int error;

	/* FDs on their way to the broker count against this limit, where they come from a process without capabilities.
	 */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	for (int role = 0; role < WORKER_ROLE_COUNT; role++)
		for (size_t i = 0; i < CAPABILITIES_MAX; i++)
			all[count++] = roles[role].capability[i];
	for (size_t i = 0; i < sizeof(preparing) / sizeof(*preparing); i++)
		all[count++] = preparing[i];
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return refuse("setting no_new_privs", -errno);
	error = keep_capabilities(all, count, false);
	return error < 0 ? refuse("giving up capabilities", error) : filter_calls(CALL_FILTER_MAIN);
}
