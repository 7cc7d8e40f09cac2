#include "call_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	MAIN = CALL_FILTER_MAIN,
	BINDER = CALL_FILTER_BINDER,
	SURVEYOR = CALL_FILTER_SURVEYOR,
	WATCHER = CALL_FILTER_WATCHER,
	RECORDER = CALL_FILTER_RECORDER,
	STOPPER = CALL_FILTER_STOPPER,
	READERS = SURVEYOR | WATCHER | RECORDER | STOPPER,
	WORKERS = BINDER | READERS,
	ALL = MAIN | WORKERS,
};

/* Calls whose arguments don't matter. What exists on other machines only is passed over. */
static const struct {
	const char *name;
	unsigned who;
} plain[] = {
	/* memory, threads, the end */
	{ "brk", ALL },
	{ "munmap", ALL },
	{ "mremap", ALL },
	{ "madvise", ALL },
	{ "futex", ALL },
	{ "futex_time64", ALL },
	{ "set_robust_list", ALL },
	{ "rseq", ALL },
	{ "membarrier", ALL },
	{ "sched_yield", ALL },
	{ "sched_getaffinity", ALL },
	{ "getcpu", ALL },
	{ "exit", ALL },
	{ "exit_group", ALL },
	{ "restart_syscall", ALL },
	{ "getrandom", ALL },
	{ "set_tid_address", MAIN },
	{ "arch_prctl", MAIN },
	/* a second filter that makes them fail as on a kernel without them says so: the C library has other ways */
	{ "clone3", ALL },
	/* who and when */
	{ "getpid", ALL },
	{ "gettid", ALL },
	{ "getppid", ALL },
	{ "getuid", ALL },
	{ "geteuid", ALL },
	{ "getgid", ALL },
	{ "getegid", ALL },
	{ "getuid32", ALL },
	{ "geteuid32", ALL },
	{ "getgid32", ALL },
	{ "getegid32", ALL },
	{ "uname", ALL },
	{ "sysinfo", ALL },
	{ "clock_gettime", ALL },
	{ "clock_gettime64", ALL },
	{ "clock_getres", ALL },
	{ "gettimeofday", ALL },
	{ "time", ALL },
	{ "nanosleep", ALL },
	{ "clock_nanosleep", ALL },
	{ "clock_nanosleep_time64", ALL },
	/* signals */
	{ "rt_sigaction", ALL },
	{ "rt_sigprocmask", ALL },
	{ "rt_sigreturn", ALL },
	{ "sigreturn", ALL },
	{ "sigaltstack", ALL },
	/* looking at files */
	{ "read", ALL },
	{ "readv", ALL },
	{ "pread64", ALL },
	{ "lseek", ALL },
	{ "_llseek", ALL },
	{ "close", ALL },
	{ "close_range", ALL },
	{ "fstat", ALL },
	{ "fstat64", ALL },
	{ "stat", ALL },
	{ "stat64", ALL },
	{ "lstat", ALL },
	{ "lstat64", ALL },
	{ "newfstatat", ALL },
	{ "fstatat64", ALL },
	{ "statx", ALL },
	{ "statfs", ALL },
	{ "statfs64", ALL },
	{ "fstatfs", ALL },
	{ "fstatfs64", ALL },
	{ "access", ALL },
	{ "faccessat", ALL },
	{ "faccessat2", ALL },
	{ "readlink", ALL },
	{ "readlinkat", ALL },
	{ "getdents", ALL },
	{ "getdents64", ALL },
	{ "getcwd", ALL },
	{ "fadvise64", ALL },
	{ "fadvise64_64", ALL },
	{ "name_to_handle_at", MAIN | WATCHER },
	/* sockets that are there, and waiting */
	{ "recvmsg", ALL },
	{ "sendmsg", ALL },
	{ "poll", ALL },
	{ "ppoll", ALL },
	{ "ppoll_time64", ALL },
	{ "getsockopt", ALL },
	{ "getsockname", ALL },
	{ "getpeername", ALL },
	{ "recvfrom", MAIN | WATCHER | RECORDER },
	{ "sendto", MAIN | WATCHER | RECORDER },
	{ "recv", MAIN | WATCHER },
	{ "send", MAIN | WATCHER },
	{ "bind", MAIN | WATCHER | STOPPER },
	{ "setsockopt", MAIN | WATCHER | STOPPER },
	{ "epoll_create1", MAIN | WATCHER },
	{ "epoll_ctl", MAIN | WATCHER },
	{ "epoll_wait", MAIN | WATCHER },
	{ "epoll_pwait", MAIN | WATCHER },
	/* changing the host: attributes, ACLs of nodes, a client's memlock limit; an audit reads ACLs, too */
	{ "getxattr", MAIN | BINDER | SURVEYOR },
	{ "lgetxattr", MAIN | BINDER },
	{ "fgetxattr", MAIN | BINDER },
	{ "setxattr", MAIN | BINDER },
	/* whether two processes have copies of one FD; ending a process */
	{ "kcmp", MAIN | SURVEYOR },
	{ "pidfd_send_signal", MAIN | STOPPER },
	/* workers, and whom they found */
	{ "fork", MAIN },
	{ "vfork", MAIN },
	{ "execveat", MAIN },
	{ "socketpair", MAIN },
	{ "dup", MAIN },
	{ "dup2", MAIN },
	{ "dup3", MAIN },
	{ "wait4", MAIN },
	{ "waitid", MAIN },
	{ "signalfd", MAIN },
	{ "signalfd4", MAIN },
	{ "memfd_create", MAIN },
	{ "pidfd_open", MAIN },
	/* names of users, which may come from anywhere on this host */
	{ "connect", MAIN | STOPPER },
	{ "sendmmsg", MAIN },
	{ "shutdown", MAIN },
	{ "pipe", MAIN },
	{ "pipe2", MAIN },
	{ "eventfd2", MAIN },
	{ "timerfd_create", MAIN },
	{ "timerfd_settime", MAIN },
	{ "select", MAIN },
	{ "pselect6", MAIN },
	{ "flock", MAIN },
	/* files of what was given to whom */
	{ "mkdir", MAIN },
	{ "mkdirat", MAIN },
	{ "renameat", MAIN },
	{ "renameat2", MAIN },
	{ "unlinkat", MAIN },
	/* on the way to what a worker is */
	{ "capget", MAIN },
	{ "capset", MAIN },
	{ "prctl", MAIN },
	{ "seccomp", MAIN },
	{ "umask", MAIN },
	{ "chdir", MAIN },
};

/* Without systemd, which brings the surveyor its view of the file systems. */
static const char *const mounting[] = { "unshare", "mount", "umount2", "mount_setattr" };

#define HAS(argument, mask, value) \
	{ \
		.arg = (argument), .op = SCMP_CMP_MASKED_EQ, .datum_a = (mask), .datum_b = (value) \
	}
/* An int or unsigned argument, of which the kernel sees the lower half only. */
#define IS(argument, value) HAS(argument, 0xffffffffu, value)
#define IS_NULL(argument) \
	{ \
		.arg = (argument), .op = SCMP_CMP_EQ, .datum_a = 0 \
	}

/* O_TMPFILE without the O_DIRECTORY in it. */
enum {
	TEMPORARY = O_TMPFILE & ~O_DIRECTORY,
	MAKES = O_CREAT | O_TRUNC | TEMPORARY,
	WRITES = MAKES | O_ACCMODE | O_APPEND,
};
#define NAMESPACES \
	((unsigned)CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
	 CLONE_NEWNET)
#define THREAD ((unsigned)CLONE_VM | CLONE_THREAD)
/* Of both VFIO and iommufd. */
#define IOCTLS_OF_VFIO HAS(1, 0xff00, ';' << 8)

/* Calls that are allowed with some arguments only: those of one row all together. */
static const struct {
	const char *name;
	unsigned who;
	struct scmp_arg_cmp compare[2];
	unsigned count;
} limited[] = {
	/* A newer libsystemd tells the service manager who asks, by the address that it binds to. */
	{ "prctl", STOPPER, { IS(0, PR_GET_NAME) }, 1 },
	{ "open", READERS, { HAS(1, WRITES, O_RDONLY) }, 1 },
	{ "openat", READERS, { HAS(2, WRITES, O_RDONLY) }, 1 },
	{ "open", BINDER, { HAS(1, MAKES, 0) }, 1 },
	{ "openat", BINDER, { HAS(2, MAKES, 0) }, 1 },
	/* Files of what was given to whom. */
	{ "open", MAIN, { HAS(1, TEMPORARY, 0) }, 1 },
	{ "openat", MAIN, { HAS(2, TEMPORARY, 0) }, 1 },
	{ "write", READERS, { IS(0, STDERR_FILENO) }, 1 },
	{ "writev", WORKERS, { IS(0, STDERR_FILENO) }, 1 },
	{ "send", BINDER | SURVEYOR | STOPPER, { IS(0, STDERR_FILENO) }, 1 },
	{ "sendto", BINDER | SURVEYOR | STOPPER, { IS(0, STDERR_FILENO) }, 1 },
	{ "write", MAIN | BINDER, {}, 0 },
	{ "writev", MAIN, {}, 0 },
	{ "mmap", WORKERS, { HAS(2, PROT_EXEC, 0) }, 1 },
	{ "mprotect", WORKERS, { HAS(2, PROT_EXEC, 0) }, 1 },
	{ "mmap", MAIN, {}, 0 },
	{ "mprotect", MAIN, {}, 0 },
	{ "clone", SURVEYOR | WATCHER, { HAS(0, NAMESPACES | THREAD, THREAD) }, 1 },
	{ "clone", MAIN, { HAS(0, NAMESPACES, 0) }, 1 },
	{ "prlimit64", READERS, { IS(0, 0), IS_NULL(2) }, 2 },
	{ "prlimit64", MAIN | BINDER, {}, 0 },
	{ "getrlimit", ALL, {}, 0 },
	{ "ugetrlimit", ALL, {}, 0 },
	/* Nobody gets a second standard error. */
	{ "fcntl", WORKERS, { IS(1, F_DUPFD_CLOEXEC), IS(2, 3) }, 2 },
	{ "fcntl", WORKERS, { IS(1, F_GETFD) }, 1 },
	{ "fcntl", WORKERS, { IS(1, F_SETFD) }, 1 },
	{ "fcntl", WORKERS, { IS(1, F_GETFL) }, 1 },
	{ "fcntl", WATCHER, { IS(1, F_SETFL) }, 1 },
	{ "fcntl", BINDER, { IS(1, F_OFD_SETLKW) }, 1 },
	{ "fcntl", MAIN, {}, 0 },
	{ "ioctl", MAIN | BINDER, { IOCTLS_OF_VFIO }, 1 },
	{ "socket", MAIN | WATCHER | RECORDER, { IS(0, AF_NETLINK) }, 1 },
	{ "socket", MAIN | STOPPER, { IS(0, AF_UNIX) }, 1 },
	{ "kill", MAIN, {}, 0 },
};

/* What a call is named where numbers have 32 bits, and takes the same arguments. */
static const char *const twins[][2] = { { "fcntl", "fcntl64" }, { "mmap", "mmap2" } };

static int add_one(scmp_filter_ctx context, const char *name, unsigned count, const struct scmp_arg_cmp *compare)
{
	int number = seccomp_syscall_resolve_name(name), error;

	if (number == __NR_SCMP_ERROR)
		return 0; /* a library that is older than the call */
	error = seccomp_rule_add_array(context, SCMP_ACT_ALLOW, number, count, compare);
	/* EDOM: another machine's. EEXIST: the same call by another name. */
	return error == -EDOM || error == -EEXIST ? 0 : error;
}

static int add(scmp_filter_ctx context, const char *name, unsigned count, const struct scmp_arg_cmp *compare)
{
	int error = add_one(context, name, count, compare);

	for (size_t i = 0; i < sizeof(twins) / sizeof(*twins) && error == 0; i++)
		if (strcmp(name, twins[i][0]) == 0)
			error = add_one(context, twins[i][1], count, compare);
	return error;
}

/* abort() and its kin: a signal to itself. */
static int add_own_signals(scmp_filter_ctx context, enum call_filter filter)
{
	const struct scmp_arg_cmp own = IS(0, (uint32_t)getpid());

	/* A worker has another pid than the main process. */
	return add(context, "tgkill", filter == CALL_FILTER_MAIN ? 0 : 1, &own);
}

static int fill(scmp_filter_ctx context, enum call_filter filter, bool mounts)
{
	int error = add_own_signals(context, filter);

	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain) && error == 0; i++)
		if (plain[i].who & filter)
			error = add(context, plain[i].name, 0, NULL);
	for (size_t i = 0; i < sizeof(limited) / sizeof(*limited) && error == 0; i++)
		if (limited[i].who & filter)
			error = add(context, limited[i].name, limited[i].count, limited[i].compare);
	for (size_t i = 0; mounts && i < sizeof(mounting) / sizeof(*mounting) && error == 0; i++)
		error = add(context, mounting[i], 0, NULL);
	return error;
}

static void release(scmp_filter_ctx *context)
{
	if (*context)
		seccomp_release(*context);
}

/* Lets everything pass but what the C library tries first on any kernel, which is not worth a line in the log. */
static int load_quiet(void)
{
	scmp_filter_ctx context __attribute__((cleanup(release))) = seccomp_init(SCMP_ACT_ALLOW);
	int error;

	if (!context)
		return -ENOMEM;
	error = seccomp_rule_add(context, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return error == 0 ? seccomp_load(context) : error;
}

int call_filter_load(enum call_filter filter, bool mounts)
{
	scmp_filter_ctx context __attribute__((cleanup(release))) = NULL;
	int error;

#ifdef WITHOUT_CALL_FILTERS
	/* A sanitizer makes calls of its own, for which no list is made. */
	return 0;
#endif
	if (prctl(PR_GET_SECCOMP) < 0)
		return -ENOSYS;
	context = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!context)
		return -ENOMEM;
	seccomp_attr_set(context, SCMP_FLTATR_API_SYSRAWRC, 1);
	/* Neither is there everywhere, and both are no matter of safety. */
	seccomp_attr_set(context, SCMP_FLTATR_CTL_LOG, 1);
	seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	error = fill(context, filter, mounts && filter == CALL_FILTER_MAIN);
	if (error == 0 && filter == CALL_FILTER_MAIN)
		error = load_quiet();
	return error == 0 ? seccomp_load(context) : error;
}
