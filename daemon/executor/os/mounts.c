#include "mounts.h"

#include "process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* The kernel writes blanks and backslashes in paths as \040. Done in place. */
static void unescape(char *text)
{
	char *out = text;

	while (*text) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] >= '0' && text[2] <= '7' &&
		    text[3] >= '0' && text[3] <= '7') {
			*out++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
			text += 4;
		} else {
			*out++ = *text++;
		}
	}
	*out = '\0';
}

dev_t block_number(const struct host *host, const char *path)
{
	struct stat status;

	if (strncmp(path, "/dev/", 5) != 0 || fstatat(host->dev, path + 5, &status, 0) < 0 || !S_ISBLK(status.st_mode))
		return 0;
	return status.st_rdev;
}

/* One line of mountinfo. */
struct line {
	dev_t number;
	char *point;
	char *type;
	char *source;
};

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw": false if it is not like that. Cuts the text up. */
static bool parse_line(char *text, struct line *out)
{
	char *field[6], *rest = text, *end;
	unsigned long high, low;

	text[strcspn(text, "\n")] = '\0';
	for (size_t i = 0; i < 6; i++)
		if (!(field[i] = strsep(&rest, " ")))
			return false;
	while (rest && strncmp(rest, "- ", 2) != 0)
		strsep(&rest, " ");
	if (!rest)
		return false;
	strsep(&rest, " ");
	out->type = strsep(&rest, " ");
	out->source = rest ? strsep(&rest, " ") : NULL;
	if (!out->source)
		return false;
	high = strtoul(field[2], &end, 10);
	if (*end != ':')
		return false;
	low = strtoul(end + 1, &end, 10);
	if (*end)
		return false;
	out->number = makedev((unsigned)high, (unsigned)low);
	out->point = field[4];
	unescape(out->point);
	unescape(out->source);
	return true;
}

/*
 * Calls found() for every block device of the btrfs file system that is on this one, as its name in sysfs tells:
 * mountinfo shows only one of them. 0: where it shows none that is known here, they all may be meant.
 */
static int report_btrfs(const struct host *host, struct mount_entry *mount, mount_found found, void *context)
{
	DIR *all = sysfs_list(host->sys, "fs/btrfs");
	const struct dirent *file_system, *entry;
	dev_t first = mount->number;
	int result = 0;

	if (!all)
		return 0;
	mount->again = first != 0;
	while (result == 0 && (file_system = sysfs_next(all))) {
		char path[512 + 64];
		dev_t member[64];
		bool has = first == 0;
		size_t count = 0;
		DIR *devices;

		snprintf(path, sizeof(path), "fs/btrfs/%s/devices", file_system->d_name);
		devices = sysfs_list(host->sys, path);
		if (!devices)
			continue;
		while (count < 64 && (entry = sysfs_next(devices))) {
			snprintf(path, sizeof(path), "class/block/%s/dev", entry->d_name);
			if (sysfs_read_device_number(host->sys, path, &member[count]) < 0)
				continue;
			has = has || member[count] == first;
			count++;
		}
		closedir(devices);
		for (size_t i = 0; has && i < count && result == 0; i++) {
			mount->number = member[i];
			if (member[i] != first)
				result = found(context, mount);
			mount->again = true;
		}
	}
	closedir(all);
	return result;
}

/* The mounts of one process's namespace. -ENOENT: the process is gone. */
static int read_namespace(const struct host *host, pid_t pid, const char *who, mount_found found, void *context)
{
	char path[32], *text = NULL;
	size_t size = 0;
	int result = 0;
	FILE *stream;

	snprintf(path, sizeof(path), "%d/mountinfo", pid);
	stream = sysfs_lines(host->proc, path);
	if (!stream)
		return -errno;
	while (result == 0 && getline(&text, &size, stream) > 0) {
		struct mount_entry mount = { .who = who };
		struct line line;

		if (!parse_line(text, &line))
			continue;
		/* Major 0: a file system that numbers itself (btrfs): then its source tells. */
		mount.number = major(line.number) ? line.number : block_number(host, line.source);
		mount.point = line.point;
		result = found(context, &mount);
		if (result == 0 && strcmp(line.type, "btrfs") == 0)
			result = report_btrfs(host, &mount, found, context);
	}
	if (result == 0 && ferror(stream))
		result = -EIO;
	free(text);
	fclose(stream);
	return result;
}

/* Every namespace once, told apart by the inode in the text of its link. */
static int read_foreign(const struct host *host, mount_found found, void *context)
{
	DIR *processes = sysfs_list(host->proc, ".");
	char(*seen)[32] = NULL, path[64], text[32];
	size_t count = 0;
	int result = 0;
	pid_t pid;

	if (!processes)
		return -errno;
	if (sysfs_read_link(host->proc, "1/ns/mnt", text, sizeof(text)) == 0 && (seen = malloc(sizeof(*seen))))
		memcpy(seen[count++], text, sizeof(text));
	while (result == 0 && (pid = process_next(processes))) {
		char(*larger)[32], who[PROCESS_NAME_MAX + 16];
		size_t i = 0;

		snprintf(path, sizeof(path), "%d/ns/mnt", pid);
		if (sysfs_read_link(host->proc, path, text, sizeof(text)) < 0)
			continue;
		while (i < count && strcmp(seen[i], text) != 0)
			i++;
		if (i < count)
			continue;
		larger = reallocarray(seen, count + 1, sizeof(*seen));
		if (!larger) {
			result = -ENOMEM;
			break;
		}
		seen = larger;
		memcpy(seen[count++], text, sizeof(text));
		result = read_namespace(host, pid, process_label(host, pid, who, sizeof(who)), found, context);
		if (result == -ENOENT || result == -ESRCH || result == -EINVAL) {
			/* It ended meanwhile: another process of the namespace, if there is one, stands for it. */
			count--;
			result = 0;
		}
	}
	free(seen);
	closedir(processes);
	return result;
}

int mounts_read_process(const struct host *host, pid_t pid, mount_found found, void *context)
{
	return read_namespace(host, pid, NULL, found, context);
}

int mounts_read(const struct host *host, bool foreign, mount_found found, void *context)
{
	int result = read_namespace(host, 1, NULL, found, context);

	if (result == 0 && foreign)
		result = read_foreign(host, found, context);
	return result;
}

/* The paths whose file systems are looked for. */
struct places {
	struct mount_place *place;
	size_t count;
};

/* The longest mount point that a path begins with is it, and of equals the last. */
static int place_mount(void *context, const struct mount_entry *mount)
{
	const struct places *places = context;
	size_t length = strlen(mount->point);
	bool is_root = strcmp(mount->point, "/") == 0;

	for (size_t i = 0; i < places->count; i++) {
		struct mount_place *place = &places->place[i];

		if (length < place->length || strncmp(place->path, mount->point, length) != 0 ||
		    (!is_root && place->path[length] != '/'))
			continue;
		place->length = length;
		if (!mount->again)
			place->count = 0;
		if (place->count < PLACE_DEVICES_MAX)
			place->number[place->count++] = mount->number;
	}
	return 0;
}

int mounts_place(const struct host *host, struct mount_place *place, size_t count)
{
	struct places places = { .place = place, .count = count };

	return count > 0 ? mounts_read(host, false, place_mount, &places) : 0;
}

/* A line of /proc/swaps that begins with this path. */
static int report_swap(const struct host *host, const char *path, swap_found found, void *context)
{
	struct swap_entry swap = { .number = block_number(host, path) };
	struct mount_place place = { .path = path };
	int result;

	if (swap.number != 0)
		return found(context, &swap);
	swap.file = path;
	result = mounts_place(host, &place, 1);
	for (size_t i = 0; i < place.count && result == 0; i++) {
		swap.number = place.number[i];
		if (swap.number != 0)
			result = found(context, &swap);
	}
	return result;
}

int swaps_read(const struct host *host, swap_found found, void *context)
{
	FILE *stream = sysfs_lines(host->proc, "swaps");
	char *text = NULL;
	size_t size = 0;
	int result = 0;

	if (!stream)
		return errno == ENOENT ? 0 : -errno; /* a kernel without swap */
	while (result == 0 && getline(&text, &size, stream) > 0) {
		if (text[0] != '/')
			continue; /* the heading */
		text[strcspn(text, " \t\n")] = '\0';
		unescape(text);
		result = report_swap(host, text, found, context);
	}
	free(text);
	fclose(stream);
	return result;
}
