#include "stand_in_holders.h"

#include "../../policy/util/text.h"
#include "../base/descriptors.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* True for a file of the device's cdev, or of its group: what was opened by a group shows no device. */
static bool is_of_device(const struct simulated_device *device, ino_t inode)
{
	const struct device_file *file;

	TAILQ_FOREACH(file, &device->files, link)
	if (!file->by_group && file->stand_in.inode == inode)
		return true;
	return device->group && device->group->opened && device->group->opened->stand_in.inode == inode;
}

/* True if one of the FDs in the folder /proc/PID/fd leads to the device. */
static bool has_file(int folder, const struct simulated_device *device)
{
	DIR *listing = fdopendir(folder);
	struct dirent *entry;
	bool found = false;

	if (!listing) {
		close(folder);
		return false;
	}
	while (!found && (entry = readdir(listing))) {
		char target[64];
		/* Only the link is read: what it leads to may be on a file system that does not answer. */
		ssize_t length = readlinkat(dirfd(listing), entry->d_name, target, sizeof(target) - 1);
		unsigned long long inode;

		target[length > 0 ? length : 0] = '\0';
		found = sscanf(target, "socket:[%llu]", &inode) == 1 && is_of_device(device, (ino_t)inode);
	}
	closedir(listing);
	return found;
}

static void read_name(int process, char *out, size_t size)
{
	autoclose int file = openat(process, "comm", O_RDONLY | O_CLOEXEC);
	char text[32];
	ssize_t length = file < 0 ? 0 : read(file, text, sizeof(text) - 1);

	if (length < 0)
		length = 0;
	while (length > 0 && text[length - 1] == '\n')
		length--;
	text_escape(out, size, text, (size_t)length);
}

int holders_find(const struct simulated_device *device, holder_found found, void *context)
{
	DIR *processes = opendir("/proc");
	struct dirent *entry;
	int result = 0;

	if (!processes)
		return 0;
	while (result == 0 && (entry = readdir(processes))) {
		autoclose int process = -1;
		char *end;
		struct holder holder = { .pid = (pid_t)strtol(entry->d_name, &end, 10) };
		int folder;

		if (*end || holder.pid <= 0 || holder.pid == getpid())
			continue;
		process = openat(dirfd(processes), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		folder = process < 0 ? -1 : openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (folder < 0 || !has_file(folder, device))
			continue;
		read_name(process, holder.name, sizeof(holder.name));
		result = found(context, &holder);
	}
	closedir(processes);
	return result;
}
