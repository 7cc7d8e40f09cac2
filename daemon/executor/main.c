/*
 * ioasid-executor: the privileged half of ioasidd. Started by the broker with the wire as FD 3, and by itself, for its
 * workers.
 */
#include "workers/binder.h"
#include "sandbox/confine.h"
#include "router/executor.h"
#include "router/given_claims.h"
#include "router/policy_snapshot.h"
#include "workers/audit_writer.h"
#include "workers/stop_unit.h"
#include "workers/stopper.h"
#include "workers/surveyor.h"
#include "workers/watcher.h"
#include "router/worker.h"

#include "../base/log.h"
#include "../base/policy_files.h"
#include "../base/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { POLICY_FOLDERS_MAX = 16 };

static const char usage[] =
	"usage: ioasid-executor [--policy-dir DIR]... [--runtime-dir DIR]\n"
	"The privileged half of ioasidd: changes drivers and opens devices, as the broker asks and the policy allows.\n"
	"It is started by ioasidd, or by its unit, with the broker's socket as file descriptor 3.\n"
	"\n"
	"  --policy-dir DIR   read the policy files of this folder; given several times, the first has precedence\n"
	"                     (default: " POLICY_FOLDER_ETC ", then " POLICY_FOLDER_USR ")\n"
	"  --runtime-dir DIR  keep what was given to whom in this folder, which only root may write\n"
	"                     (default: " EXECUTOR_RUNTIME_FOLDER ")\n"
	"  --help             show this\n"
	"  --version          show the version\n";

/* True if the FD is a socket such as the wire is. */
static bool is_wire(int fd)
{
	int domain = 0, type = 0;
	socklen_t size = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

/* systemd's convention, where it is used: exactly one socket, which is FD 3 then. */
static bool activation_is_right(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	char own[16];

	snprintf(own, sizeof(own), "%d", getpid());
	return !pid || !count || strcmp(pid, own) != 0 || strcmp(count, "1") == 0;
}

/* What every process of the executor begins with: nothing inherited but what it was meant to have. */
static void leave_surroundings(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0)
		dup2(null, STDIN_FILENO);
	descriptor_close(&null);
	if (chdir("/") < 0)
		log_notice("failed to enter the root folder: %s", strerror(errno));
	umask(077);
}

static int worker_main(const char *name)
{
	static char program[32];
	int role = worker_role_from_string(name);
	struct policy *policy = NULL;
	int error, status;

	if (role < 0 || !is_wire(WORKER_SOCKET_FD)) {
		fprintf(stderr, "ioasid-executor: --worker is for internal use\n");
		return EXIT_USAGE;
	}
	snprintf(program, sizeof(program), "ioasid-%s", name);
	log_start(program);
	fcntl(WORKER_SOCKET_FD, F_SETFD, FD_CLOEXEC);
	close_range(role == WORKER_BINDER ? WORKER_POLICY_FD + 1 : WORKER_SOCKET_FD + 1, UINT_MAX, 0);
	if (role == WORKER_STOPPER)
		stop_unit_prepare();
	if (confine_worker((enum worker_role)role) < 0)
		return EXIT_FAILURE;
	if (role == WORKER_SURVEYOR)
		return surveyor_main(WORKER_SOCKET_FD);
	if (role == WORKER_WATCHER)
		return watcher_main(WORKER_SOCKET_FD);
	if (role == WORKER_RECORDER)
		return audit_writer_main(WORKER_SOCKET_FD);
	if (role == WORKER_STOPPER)
		return stopper_main(WORKER_SOCKET_FD);
	error = policy_snapshot_load(WORKER_POLICY_FD, &policy);
	close(WORKER_POLICY_FD);
	if (error < 0) {
		log_error("failed to load the policy: %s", strerror(-error));
		return EXIT_FAILURE;
	}
	status = binder_main(WORKER_SOCKET_FD, policy);
	policy_free(policy);
	return status;
}

static int run(const char *const *folder, size_t count, const char *runtime_folder)
{
	static const char *const usual[] = { POLICY_FOLDER_ETC, POLICY_FOLDER_USR };
	struct executor_options options = {
		.policy_folder = folder, .policy_folder_count = count, .runtime_folder = runtime_folder, .wire = WIRE_FD
	};

	if (count == 0) {
		options.policy_folder = usual;
		options.policy_folder_count = 2;
	}
	if (!activation_is_right() || !is_wire(WIRE_FD)) {
		fprintf(stderr,
			"ioasid-executor: file descriptor 3 is not the broker's socket: start ioasidd, which starts "
			"its executor\n");
		return EXIT_USAGE;
	}
	if (geteuid() != 0) {
		fprintf(stderr, "ioasid-executor: must be started as root, as it changes drivers\n");
		return EXIT_FAILURE;
	}
	fcntl(WIRE_FD, F_SETFD, FD_CLOEXEC);
	close_range(WIRE_FD + 1, UINT_MAX, 0);
	/* The very program that runs, even if an upgrade has put another in its place since. */
	options.program = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	if (options.program < 0) {
		log_error("the executor cannot find its own program: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	return confine_main() < 0 ? EXIT_FAILURE : executor_main(&options);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "policy-dir", required_argument, NULL, 'p' }, { "runtime-dir", required_argument, NULL, 'r' },
		{ "worker", required_argument, NULL, 'w' },     { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },          { NULL, 0, NULL, 0 },
	};
	const char *folder[POLICY_FOLDERS_MAX], *worker = NULL, *runtime_folder = EXECUTOR_RUNTIME_FOLDER;
	size_t count = 0;
	int option;

	log_start("ioasid-executor");
	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case 'p':
			if (count == POLICY_FOLDERS_MAX) {
				fprintf(stderr, "ioasid-executor: at most %d policy folders\n", POLICY_FOLDERS_MAX);
				return EXIT_USAGE;
			}
			folder[count++] = optarg;
			break;
		case 'r':
			runtime_folder = optarg;
			break;
		case 'w':
			worker = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_DONE;
		case 'v':
			puts("ioasid-executor " VERSION);
			return EXIT_DONE;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "ioasid-executor: unexpected argument \"%s\"; see --help\n", argv[optind]);
		return EXIT_USAGE;
	}
	leave_surroundings();
	return worker ? worker_main(worker) : run(folder, count, runtime_folder);
}
