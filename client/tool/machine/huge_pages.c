#include "huge_pages.h"

#include "root_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER "sys/kernel/mm/hugepages"

static uint64_t read_count(int root, const char *size, const char *which)
{
	char path[512], text[32];

	snprintf(path, sizeof(path), FOLDER "/%s/%s", size, which);
	return root_file_read(root, path, text, sizeof(text)) < 0 ? 0 : strtoull(text, NULL, 10);
}

static void add(struct huge_pages *pages, int root, const char *size)
{
	uint64_t bytes = strtoull(size + strlen("hugepages-"), NULL, 10) * 1024;
	uint64_t all, free_count;

	if (bytes == 0)
		return;
	all = read_count(root, size, "nr_hugepages");
	free_count = read_count(root, size, "free_hugepages");
	if (all > UINT64_MAX / bytes / 4 || free_count > all)
		return;
	pages->bytes += all * bytes;
	pages->free += free_count * bytes;
}

struct huge_pages huge_pages_read(int root)
{
	struct huge_pages pages = { 0 };
	int fd = openat(root, FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (folder == NULL) {
		if (fd >= 0)
			close(fd);
		return pages;
	}
	while ((entry = readdir(folder)) != NULL)
		if (strncmp(entry->d_name, "hugepages-", strlen("hugepages-")) == 0)
			add(&pages, root, entry->d_name);
	closedir(folder);
	return pages;
}

bool huge_pages_wanted(char *const *command)
{
	const char *slash = strrchr(command[0], '/');
	const char *name = slash != NULL ? slash + 1 : command[0];

	if (strncmp(name, "dpdk-", 5) != 0 && strncmp(name, "spdk", 4) != 0 && strcmp(name, "testpmd") != 0 &&
	    strcmp(name, "vpp") != 0)
		return false;
	for (size_t i = 1; command[i] != NULL; i++)
		if (strcmp(command[i], "--no-huge") == 0)
			return false;
	return true;
}
