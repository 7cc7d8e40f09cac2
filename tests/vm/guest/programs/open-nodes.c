/*
 * Opens nodes by their path, as DPDK or libvirt would, and keeps them open until its stdin ends.
 *
 * usage: open-nodes NODE… [--touch FILE]      FILE is made once all are open
 */
#include "rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	const char *mark = NULL;
	char byte;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--touch") == 0 && i + 1 < argc) {
			mark = argv[++i];
			continue;
		}
		if (open(argv[i], O_RDWR | O_CLOEXEC) < 0)
			die_errno("can't open %s", argv[i]);
		printf("opened %s\n", argv[i]);
	}
	fflush(stdout);
	if (mark && open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0)
		die_errno("can't make %s", mark);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return EXIT_SUCCESS;
}
