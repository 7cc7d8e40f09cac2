#include "pci_command.h"

#include "../../../policy/util/text.h"
#include "../../base/descriptors.h"
#include "../os/sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Of PCI's config space. */
enum { COMMAND_OFFSET = 4, COMMAND_BUS_MASTER = 1 << 2 };

__attribute__((format(printf, 3, 4))) static int fail(char why[static TEXT_MAX], int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	text_format_list(why, TEXT_MAX, format, arguments);
	va_end(arguments);
	return error;
}

/* Command and status of the function; all ones: it does not answer. */
static int read_command(const char *name, int folder, uint32_t *command, char why[static TEXT_MAX])
{
	autoclose int fd = openat(folder, "config", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || pread(fd, command, sizeof(*command), COMMAND_OFFSET) != sizeof(*command)) {
		int error = errno ? -errno : -EIO;

		return fail(why, error, "cannot read the configuration of %s: %s", name, strerror(-error));
	}
	/* The vendor id would say so, too, but virtual functions have none of their own. */
	if (*command == UINT32_MAX)
		return fail(why, -EIO, "%s no longer responds", name);
	return 0;
}

int pci_command_read_bus_master(const char *name, int folder, bool *on, char why[static TEXT_MAX])
{
	uint32_t command;
	int error = read_command(name, folder, &command, why);

	if (error == 0)
		*on = command & COMMAND_BUS_MASTER;
	return error;
}

int pci_command_reset(const char *name, int folder, char why[static TEXT_MAX])
{
	uint32_t command;
	int error = sysfs_write(folder, "reset", "1");

	if (error == -ENOENT)
		return fail(why, error, "%s does not support a reset", name);
	if (error < 0)
		return fail(why, error, "failed to reset %s: %s", name, strerror(-error));
	return read_command(name, folder, &command, why);
}
