#include "descriptors.h"

#include <errno.h>

void descriptor_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

int descriptors_add(struct descriptors *list, int fd)
{
	if (list->count >= DESCRIPTORS_MAX)
		return -E2BIG;
	list->fd[list->count++] = fd;
	return 0;
}

int descriptors_take(struct descriptors *list, size_t index)
{
	if (index >= list->count)
		return -1;
	return descriptor_take(&list->fd[index]);
}

void descriptors_close(struct descriptors *list)
{
	for (size_t i = 0; i < list->count; i++)
		descriptor_close(&list->fd[i]);
	list->count = 0;
}
