#include "journald.h"

#include "../../policy/util/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int journald_open(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

bool journald_has_stderr(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;

	/* The variable is inherited by whoever has redirected standard error since, too. */
	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &status) == 0 &&
	       status.st_dev == (dev_t)device && status.st_ino == (ino_t)inode;
}

void journald_begin(struct journald_entry *entry)
{
	entry->length = 0;
	entry->cut = false;
}

/* True for what nearly every value is: escaping it would change nothing. */
static bool is_plain(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || (unsigned char)*text > '~')
			return false;
	return true;
}

void journald_add(struct journald_entry *entry, const char *field, const char *format, ...)
{
	char value[JOURNALD_VALUE_MAX], room[JOURNALD_VALUE_MAX];
	const char *escaped = value;
	size_t name = strlen(field), length;
	va_list arguments;

	va_start(arguments, format);
	text_format_list(value, sizeof value, format, arguments);
	va_end(arguments);
	if (!is_plain(value))
		escaped = text_escape(room, sizeof room, value, strlen(value));
	length = strlen(escaped);
	if (name + length + 2 > sizeof entry->text - entry->length) {
		entry->cut = true;
		return;
	}
	/* Without a line end in it the value needs no length before it. */
	memcpy(entry->text + entry->length, field, name);
	entry->text[entry->length + name] = '=';
	memcpy(entry->text + entry->length + name + 1, escaped, length);
	entry->length += name + length + 2;
	entry->text[entry->length - 1] = '\n';
}

int journald_send(int socket, const char *path, const struct journald_entry *entry)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	ssize_t sent;

	if (strlen(path) >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	do
		sent = sendto(socket, entry->text, entry->length, MSG_NOSIGNAL | MSG_DONTWAIT,
			      (const struct sockaddr *)&address, sizeof address);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}
