#include "device_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
	const struct device *const *one = a, *const *other = b;

	return strcmp((*one)->name, (*other)->name);
}

int device_index_begin(struct device_index *index, const struct device *device, size_t count)
{
	const struct device **item = calloc(count + 1, sizeof(*item));

	if (!item)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		item[i] = &device[i];
	qsort(item, count, sizeof(*item), by_name);
	*index = (struct device_index){ .item = item, .count = count };
	return 0;
}

void device_index_done(struct device_index *index)
{
	free(index->item);
	*index = (struct device_index){ .item = NULL };
}

const struct device *device_index_find(const struct device_index *index, const char *name)
{
	size_t low = 0, high = index->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(index->item[middle]->name, name);

		if (order == 0)
			return index->item[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}
