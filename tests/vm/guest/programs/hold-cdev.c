/*
 * The client that does not let go: keeps a copy of inherited FDs in a process of its own, long after the program
 * that was given them has ended. Everything else it inherited (the lease among it) is closed, and it never binds.
 * Prints the keeper's pid and ends; the keeper ends by SIGTERM.
 *
 * usage: hold-cdev FD…
 */
#include "rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

enum { FD_LIMIT = 4096 };

static int is_kept(int fd, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (number_of("FD", argv[i], FD_LIMIT) == (unsigned long)fd)
			return 1;
	return 0;
}

static void keep(int argc, char **argv)
{
	int null;
	int fd;

	null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		die_errno("/dev/null");
	for (fd = 3; fd < FD_LIMIT; fd++)
		if (!is_kept(fd, argc, argv))
			close(fd);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	pid_t keeper;
	int i;

	if (argc < 2)
		die("usage: hold-cdev FD…");
	for (i = 1; i < argc; i++)
		if (fcntl((int)number_of("FD", argv[i], FD_LIMIT), F_GETFD) < 0)
			die_errno("FD %s is not open", argv[i]);
	keeper = fork();
	if (keeper < 0)
		die_errno("fork");
	if (keeper == 0) {
		if (setsid() < 0)
			die_errno("setsid");
		keep(argc, argv);
	}
	printf("%d\n", (int)keeper);
	return 0;
}
