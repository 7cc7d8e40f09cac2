/*
 * What two processes need at the least to hand over two descriptors: a request and an answer with two FDs over a
 * SOCK_SEQPACKET, both sides blocking. The measure for claims on the simulator.
 *
 * usage: ping [ROUNDS]      prints "ping p50 N us, p99 N us"
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FDS = 2, ROUNDS_USUAL = 20000, ROUNDS_MAX = 1000000 };

union control_buffer {
	char room[CMSG_SPACE(sizeof(int) * FDS)];
	struct cmsghdr align;
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "ping: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void answer(int socket, const int fds[static FDS])
{
	union control_buffer control = { .room = { 0 } };
	char byte = 0;
	struct iovec part = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr packet = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&packet);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int) * FDS);
	memcpy(CMSG_DATA(header), fds, sizeof(int) * FDS);
	if (sendmsg(socket, &packet, MSG_NOSIGNAL) < 0)
		fail("sendmsg");
}

/* Until the other side closes. */
static void serve(int socket)
{
	const int fds[FDS] = { open("/dev/null", O_RDONLY | O_CLOEXEC), open("/dev/zero", O_RDONLY | O_CLOEXEC) };
	char byte;

	while (recv(socket, &byte, 1, 0) == 1)
		answer(socket, fds);
}

static void ask(int socket)
{
	union control_buffer control;
	char byte = 0;
	struct iovec part = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr packet = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	const struct cmsghdr *header;
	int fds[FDS];

	if (send(socket, &byte, 1, MSG_NOSIGNAL) < 0 || recvmsg(socket, &packet, MSG_CMSG_CLOEXEC) != 1)
		fail("no answer");
	header = CMSG_FIRSTHDR(&packet);
	if (!header || header->cmsg_len != CMSG_LEN(sizeof(fds)))
		fail("no descriptors");
	memcpy(fds, CMSG_DATA(header), sizeof(fds));
	close(fds[0]);
	close(fds[1]);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int order(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS_USUAL, pair[2];
	double *took;
	pid_t server;

	if (argc > 2 || rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: ping [ROUNDS]\n");
		return 2;
	}
	took = calloc((size_t)rounds, sizeof(*took));
	if (!took || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		fail("socketpair");
	server = fork();
	if (server < 0)
		fail("fork");
	if (server == 0) {
		close(pair[0]);
		serve(pair[1]);
		_exit(0);
	}
	close(pair[1]);
	for (int i = 0; i < rounds; i++) {
		double start = now();

		ask(pair[0]);
		took[i] = now() - start;
	}
	close(pair[0]);
	waitpid(server, NULL, 0);
	qsort(took, (size_t)rounds, sizeof(*took), order);
	printf("ping p50 %.1f us, p99 %.1f us\n", took[rounds / 2], took[(size_t)rounds * 99 / 100]);
	free(took);
	return 0;
}
