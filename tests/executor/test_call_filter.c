/*
 * The filters of the executor's processes: what each may do it can do, and everything else is refused by them. Each try
 * is a process of its own that has put on itself the main process's filter, and then its own, as a worker has them.
 */
#include "../../daemon/executor/sandbox/call_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	MAIN = CALL_FILTER_MAIN,
	BINDER = CALL_FILTER_BINDER,
	SURVEYOR = CALL_FILTER_SURVEYOR,
	WATCHER = CALL_FILTER_WATCHER,
	RECORDER = CALL_FILTER_RECORDER,
	STOPPER = CALL_FILTER_STOPPER,
	ALL = MAIN | BINDER | SURVEYOR | WATCHER | RECORDER | STOPPER,
	NOBODY = 0,
};

/* Of the process that tries: a file open for writing, and sockets. */
static int file, pair[2];

/* For calls that can't succeed here, but get as far as the kernel's own reasons. */
static long let_through(long result)
{
	return result < 0 && errno == EPERM ? -1 : 0;
}

static long mapped(void *place)
{
	return place == MAP_FAILED ? -1 : 0;
}

static long open_to_read(void)
{
	return open("/proc/self/status", O_RDONLY | O_CLOEXEC);
}

static long open_alone(void)
{
	return open("/dev/null", O_RDONLY | O_EXCL | O_CLOEXEC);
}

static long open_to_write(void)
{
	return open("/dev/null", O_WRONLY | O_CLOEXEC);
}

static long open_both_ways(void)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static long open_cut(void)
{
	return open("file", O_RDONLY | O_TRUNC | O_CLOEXEC);
}

static long make_file(void)
{
	return open("new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static long make_temporary(void)
{
	return open(".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
}

static long open_by_struct(void)
{
	return syscall(SYS_openat2, AT_FDCWD, "/", (uint64_t[3]){ O_RDONLY }, 24);
}

static long open_by_handle(void)
{
	return syscall(SYS_open_by_handle_at, AT_FDCWD, NULL, O_RDONLY);
}

static long write_log(void)
{
	return write(STDERR_FILENO, "", 0);
}

static long write_log_in_parts(void)
{
	return writev(STDERR_FILENO, NULL, 0);
}

/* As the log does it: to the journal, without waiting. */
static long send_log(void)
{
	return send(STDERR_FILENO, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EPERM ? -1 : 0;
}

static long write_file(void)
{
	return write(file, "x", 1);
}

static long write_file_in_parts(void)
{
	return syscall(SYS_pwritev2, file, NULL, 0, 0, 0, 0);
}

static long write_file_at(void)
{
	return pwrite(file, "x", 1, 0);
}

static long cut_file(void)
{
	return ftruncate(file, 0);
}

static long map_to_run(void)
{
	return mapped(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static long map(void)
{
	return mapped(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static long send_message(void)
{
	struct iovec part = { .iov_base = (char[]){ "x" }, .iov_len = 1 };

	return sendmsg(pair[0], &(struct msghdr){ .msg_iov = &part, .msg_iovlen = 1 }, 0);
}

static long duplicate(void)
{
	return fcntl(file, F_DUPFD_CLOEXEC, 3);
}

static long duplicate_to_log(void)
{
	return dup2(file, STDERR_FILENO);
}

static long duplicate_lowest(void)
{
	return fcntl(file, F_DUPFD, 0);
}

static long lock_place(void)
{
	return fcntl(file, F_OFD_SETLKW, &(struct flock){ .l_type = F_WRLCK, .l_len = 1 });
}

static long make_folder(void)
{
	return mkdir("folder", 0700);
}

static long remove_file(void)
{
	return unlink("file");
}

static long rename_file(void)
{
	return rename("file", "other");
}

static long change_mode(void)
{
	return chmod("file", 0777);
}

static long change_mode_of_open(void)
{
	return fchmod(file, 0777);
}

static long change_owner(void)
{
	return chown("file", getuid(), getgid());
}

static long change_acl(void)
{
	return let_through(setxattr("file", "user.test", "", 0, 0));
}

static long read_acl(void)
{
	return let_through(getxattr("file", "user.test", NULL, 0));
}

static long ask_vfio(void)
{
	return let_through(ioctl(file, _IO(';', 100)));
}

static long ask_terminal(void)
{
	return let_through(ioctl(file, TIOCSTI, "x"));
}

static long limit_of_own(void)
{
	return getrlimit(RLIMIT_NOFILE, &(struct rlimit){ 0 });
}

static long limit_of_other(void)
{
	return let_through(prlimit(getppid(), RLIMIT_CORE, &(struct rlimit){ 0 }, NULL));
}

static long trace(void)
{
	return syscall(SYS_ptrace, 0, 0, 0, 0);
}

static long peek(void)
{
	return syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0);
}

static long poke(void)
{
	return syscall(SYS_process_vm_writev, getpid(), NULL, 0, NULL, 0, 0);
}

static long steal(void)
{
	return let_through(syscall(SYS_pidfd_getfd, -1, 0, 0));
}

static long compare(void)
{
	return let_through(syscall(SYS_kcmp, getpid(), getpid(), 0, 0, 0));
}

static long signal_by_pidfd(void)
{
	return let_through(syscall(SYS_pidfd_send_signal, -1, 0, NULL, 0));
}

static long signal_other(void)
{
	return kill(getppid(), 0);
}

static long signal_thread_of_other(void)
{
	return syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static long signal_self(void)
{
	return raise(SIGCHLD);
}

static long process(void)
{
	return fork();
}

static long name_space(void)
{
	return let_through(unshare(CLONE_NEWUSER));
}

static long name_space_of_child(void)
{
	return syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
}

static long mount_there(void)
{
	return let_through(mount("none", "/nowhere", "tmpfs", 0, NULL));
}

static long run_program(void)
{
	return execl("/bin/true", "true", NULL);
}

static long unix_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static long connect_there(void)
{
	return let_through(connect(pair[0], &(struct sockaddr){ .sa_family = AF_UNIX }, sizeof(struct sockaddr)));
}

static long send_plain(void)
{
	return sendto(pair[0], "x", 1, 0, NULL, 0);
}

static long event_socket(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 15);
}

static long network_socket(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static long ring(void)
{
	return syscall(SYS_io_uring_setup, 0, NULL);
}

static long program_kernel(void)
{
	return syscall(SYS_bpf, -1, NULL, 0);
}

static long load_module(void)
{
	return syscall(SYS_finit_module, -1, "", 0);
}

static long call_of_the_future(void)
{
	return syscall(1000);
}

static void *nothing(void *argument)
{
	return argument;
}

static long thread(void)
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, nothing, NULL);
	return errno != 0 ? -1 : pthread_join(thread, NULL);
}

static const struct {
	const char *what;
	long (*call)(void);
	unsigned who;
} tries[] = {
	{ "open to read", open_to_read, ALL },
	{ "open a disk alone", open_alone, ALL },
	{ "open to write", open_to_write, MAIN | BINDER },
	{ "open both ways", open_both_ways, MAIN | BINDER },
	{ "cut a file at its opening", open_cut, MAIN },
	{ "make a file", make_file, MAIN },
	{ "make a file without a name", make_temporary, NOBODY },
	{ "openat2", open_by_struct, NOBODY },
	{ "open_by_handle_at", open_by_handle, NOBODY },
	{ "write to the log", write_log, ALL },
	{ "writev to the log", write_log_in_parts, ALL },
	{ "send to the log", send_log, ALL },
	{ "write to a file", write_file, MAIN | BINDER },
	{ "pwritev2", write_file_in_parts, NOBODY },
	{ "pwrite", write_file_at, NOBODY },
	{ "ftruncate", cut_file, NOBODY },
	{ "map memory", map, ALL },
	{ "map memory to run", map_to_run, MAIN },
	{ "send a message", send_message, ALL },
	{ "another FD of the same", duplicate, ALL },
	{ "the log as another file", duplicate_to_log, MAIN },
	{ "the lowest FD", duplicate_lowest, MAIN },
	{ "lock a place", lock_place, MAIN | BINDER },
	{ "mkdir", make_folder, MAIN },
	{ "unlink", remove_file, NOBODY },
	{ "rename", rename_file, NOBODY },
	{ "chmod", change_mode, NOBODY },
	{ "fchmod", change_mode_of_open, NOBODY },
	{ "chown", change_owner, NOBODY },
	{ "setxattr", change_acl, MAIN | BINDER },
	{ "getxattr", read_acl, MAIN | BINDER | SURVEYOR },
	{ "an ioctl of VFIO's", ask_vfio, MAIN | BINDER },
	{ "another ioctl", ask_terminal, NOBODY },
	{ "ask for its own limits", limit_of_own, ALL },
	{ "set another's limit", limit_of_other, MAIN | BINDER },
	{ "ptrace", trace, NOBODY },
	{ "process_vm_readv", peek, NOBODY },
	{ "process_vm_writev", poke, NOBODY },
	{ "pidfd_getfd", steal, NOBODY },
	{ "kcmp", compare, MAIN | SURVEYOR },
	{ "kill another", signal_other, MAIN },
	{ "pidfd_send_signal", signal_by_pidfd, MAIN | STOPPER },
	{ "tgkill another", signal_thread_of_other, MAIN },
	{ "raise a signal", signal_self, ALL },
	{ "start a thread", thread, MAIN | SURVEYOR | WATCHER },
	{ "fork", process, MAIN },
	{ "unshare", name_space, NOBODY },
	{ "clone into a namespace", name_space_of_child, NOBODY },
	{ "mount", mount_there, NOBODY },
	{ "execve", run_program, NOBODY },
	{ "a socket of the host", unix_socket, MAIN | STOPPER },
	{ "connect", connect_there, MAIN | STOPPER },
	{ "a socket for events", event_socket, MAIN | WATCHER | RECORDER },
	{ "send without a message", send_plain, MAIN | WATCHER | RECORDER },
	{ "a socket for the network", network_socket, NOBODY },
	{ "io_uring", ring, NOBODY },
	{ "bpf", program_kernel, NOBODY },
	{ "finit_module", load_module, NOBODY },
	{ "a call that nobody knows", call_of_the_future, NOBODY },
};

enum { WORKED, REFUSED, FAILED, UNPREPARED };

/* In a process of its own. */
static int attempt(size_t index, enum call_filter filter)
{
	long result;

	file = open("file", O_RDWR | O_CLOEXEC);
	if (file < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || signal(SIGCHLD, SIG_IGN) == SIG_ERR ||
	    call_filter_load(CALL_FILTER_MAIN, false) < 0 ||
	    (filter != CALL_FILTER_MAIN && call_filter_load(filter, false) < 0))
		return UNPREPARED;
	result = tries[index].call();
	if (result >= 0)
		return WORKED;
	return errno == EPERM ? REFUSED : FAILED;
}

static int attempt_in_process(size_t index, enum call_filter filter)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(attempt(index, filter));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : FAILED;
}

static void expect(enum call_filter filter, const char *name)
{
	static const char *const words[] = { "works", "is refused", "fails otherwise", "can't be tried" };
	unsigned wrong = 0;

	for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++) {
		int wanted = tries[i].who & filter ? WORKED : REFUSED, found = attempt_in_process(i, filter);

		if (found == wanted)
			continue;
		print_error("%s: %s %s\n", name, tries[i].what, words[found]);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

static void of_main(void **state)
{
	expect(CALL_FILTER_MAIN, "the main process");
}

static void of_binder(void **state)
{
	expect(CALL_FILTER_BINDER, "a binder");
}

static void of_surveyor(void **state)
{
	expect(CALL_FILTER_SURVEYOR, "the surveyor");
}

static void of_watcher(void **state)
{
	expect(CALL_FILTER_WATCHER, "the watcher");
}

static void of_recorder(void **state)
{
	expect(CALL_FILTER_RECORDER, "the recorder");
}

static void of_stopper(void **state)
{
	expect(CALL_FILTER_STOPPER, "the stopper");
}

static int begin(void **state)
{
	static char folder[] = "/tmp/ioasidd-filter-XXXXXX";
	int fd;

	if (!mkdtemp(folder) || chdir(folder) < 0 || (fd = open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0)
		return -1;
	close(fd);
	*state = folder;
	return 0;
}

static int end(void **state)
{
	/* None of the processes could have done it, but the main process, which has made two things. */
	return unlink("file") < 0 || unlink("new") < 0 || rmdir("folder") < 0 || rmdir(*state) < 0 ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_main),    cmocka_unit_test(of_binder),   cmocka_unit_test(of_surveyor),
		cmocka_unit_test(of_watcher), cmocka_unit_test(of_recorder), cmocka_unit_test(of_stopper),
	};

	return cmocka_run_group_tests_name("call filters", tests, begin, end);
}
