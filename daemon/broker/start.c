#include "start.h"

#include "../base/descriptors.h"
#include "../base/log.h"
#include "../base/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* Where the executor's systemd unit listens. */
#define EXECUTOR_SOCKET "/run/ioasidd-executor.socket"

enum { EXECUTOR_WORDS_MAX = 64 };

int start_find_user(const char *name, struct start_user *user)
{
	struct passwd *entry = getpwnam(name);

	if (!entry) {
		log_error("there is no user '%s': create it (systemd-sysusers, or 'useradd --system %s'), or name "
			  "another one with --user",
			  name, name);
		return -ENOENT;
	}
	user->uid = entry->pw_uid;
	user->gid = entry->pw_gid;
	return 0;
}

int start_runtime_folder(const char *folder, const struct start_user *user)
{
	struct stat status;
	autoclose int fd = -1;

	if (mkdir(folder, 0755) < 0 && errno != EEXIST) {
		int error = -errno;

		log_error("failed to create %s: %s", folder, strerror(-error));
		return error;
	}
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &status) < 0) {
		int error = -errno;

		log_error("%s can't be opened as a folder: %s", folder, strerror(-error));
		return error;
	}
	if (geteuid() == 0 && (fchown(fd, user->uid, user->gid) < 0 || fchmod(fd, 0755) < 0)) {
		int error = -errno;

		log_error("failed to change the owner of %s to uid %u: %s", folder, user->uid, strerror(-error));
		return error;
	}
	return 0;
}

static int connect_executor(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = EXECUTOR_SOCKET };
	autoclose int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		int error = -errno;

		log_error("%s: no executor answers: %s. Start ioasid-executor.socket, or start ioasidd as root, or "
			  "give it "
			  "--executor",
			  EXECUTOR_SOCKET, strerror(-error));
		return error;
	}
	return descriptor_take(&fd);
}

/* In the child: the wire becomes FD 3, everything else is closed, and the command takes over. */
static void become_executor(int wire, char **argument)
{
	char *environment[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LISTEN_FDS=1",
				NULL, NULL, NULL };
	const char *claim_files = getenv("JOURNAL_STREAM");
	char listen_pid[32], journal_stream[64];
	sigset_t none;
	size_t next = 2;

	snprintf(listen_pid, sizeof(listen_pid), "LISTEN_PID=%d", (int)getpid());
	environment[next++] = listen_pid;
	if (claim_files && strlen(claim_files) < 40) {
		snprintf(journal_stream, sizeof(journal_stream), "JOURNAL_STREAM=%s", claim_files);
		environment[next++] = journal_stream;
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	/* A Ctrl-C at the broker's terminal ends the broker; the executor then ends by itself, in order. */
	setpgid(0, 0);
	if (wire == WIRE_FD)
		fcntl(wire, F_SETFD, 0);
	else if (dup2(wire, WIRE_FD) < 0)
		_exit(127);
	close_range(WIRE_FD + 1, ~0u, 0);
	execvpe(argument[0], argument, environment);
	log_error("failed to start %s: %s", argument[0], strerror(errno));
	_exit(127);
}

/* Splits the command at spaces and adds the policy folders, which both programs have to read. */
static size_t command_words(const struct options *options, char *command, char **word)
{
	size_t count = 0;
	char *rest = command;

	for (char *part = strtok_r(rest, " ", &rest); part && count < EXECUTOR_WORDS_MAX / 2;
	     part = strtok_r(NULL, " ", &rest))
		word[count++] = part;
	for (size_t i = 0;
	     options->policy_folder_given && i < options->policy_folder_count && count + 2 < EXECUTOR_WORDS_MAX; i++) {
		word[count++] = "--policy-dir";
		word[count++] = (char *)options->policy_folder[i];
	}
	word[count] = NULL;
	return count;
}

int start_executor(const struct options *options)
{
	char *word[EXECUTOR_WORDS_MAX + 1];
	char *command;
	int pair[2], error;
	pid_t child;

	if (!options->executor && geteuid() != 0)
		return connect_executor();
	command = strdup(options->executor ? options->executor : EXECUTOR_PATH);
	if (!command)
		return -ENOMEM;
	if (command_words(options, command, word) == 0) {
		log_error("--executor is empty: give it a command");
		free(command);
		return -EINVAL;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		error = -errno;
		free(command);
		return error;
	}
	child = fork();
	error = -errno;
	if (child == 0)
		become_executor(pair[1], word);
	close(pair[1]);
	free(command);
	if (child < 0) {
		close(pair[0]);
		return error;
	}
	return pair[0];
}

int start_drop_privileges(const struct start_user *user)
{
	bool privileged = geteuid() == 0;

	if (privileged && user->uid != 0 &&
	    (setgroups(0, NULL) < 0 || setresgid(user->gid, user->gid, user->gid) < 0 ||
	     setresuid(user->uid, user->uid, user->uid) < 0)) {
		int error = -errno;

		log_error("failed to become uid %u: %s", user->uid, strerror(-error));
		return error;
	}
	/* A service manager has seen to it where it was not us, and its filter takes the very question for an attack.
	 */
	if (privileged && user->uid != 0 && setuid(0) == 0) {
		log_error("root privileges could be regained: giving up");
		return -EPERM;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return 0;
}
