/* ioasidctl: see ioasidctl.h. */
#include "ioasidctl.h"

#include <locale.h>

int main(int argc, char **argv)
{
	setlocale(LC_ALL, "");
	return ioasidctl(argc, argv);
}
