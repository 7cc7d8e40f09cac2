/* ioasidctl: see ioasidctl.h. */
#include "ioasidctl.h"

#include <fcntl.h>
#include <locale.h>
#include <unistd.h>

/*
 * A caller may have closed standard input, output or error. Then a socket or a device would get that number, and what
 * is printed would go there: something harmless takes the place, which can't be written to either.
 */
static int fill_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
			return -1;
	return 0;
}

int main(int argc, char **argv)
{
	if (fill_standard_descriptors() < 0)
		return 1;
	setlocale(LC_ALL, "");
	return ioasidctl(argc, argv);
}
