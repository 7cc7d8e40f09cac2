#include "selector_index.h"

#include "../util/name_table.h"
#include "selector_subset.h"

#include <stdlib.h>
#include <string.h>

/* The lists that an entry may stand under: those of its devices, then those of its subjects. */
enum { LIST_UID = SELECTOR_LIST_COUNT, LIST_GID, LIST_UNIT, LIST_COUNT };

/* All that stands under one text, or one beginning of a text. */
struct bucket {
	uint64_t hash;  /* of the list and the text; 0: empty */
	uint32_t used;  /* texts of all entries that begin so: how crowded it would be */
	uint32_t first; /* link plus one; 0: none */
};

struct link {
	uint32_t entry, next; /* next: link plus one */
};

struct policy_index {
	const struct policy *policy;
	const struct policy_index_entry *entry;
	size_t count;
	struct bucket *bucket;
	size_t bucket_count; /* a power of two */
	struct link *link;
	size_t link_count;
	size_t universal; /* the first entry that no list narrows; SIZE_MAX: none */
};

/* One list of an entry, of texts or of numbers. */
struct list {
	unsigned number; /* below LIST_COUNT */
	const struct text_list *text;
	const uint32_t *id;
	size_t count;
};

static struct list list_of(const struct policy_index_entry *entry, unsigned number)
{
	const struct subject_selector *subject = entry->subject && !entry->subject->any ? entry->subject : NULL;
	struct list list = { .number = number };

	if (number < SELECTOR_LIST_COUNT &&
	    !selector_list_is_universal((enum selector_list)number, &entry->device->list[number]))
		list.text = &entry->device->list[number];
	else if (number == LIST_UNIT && subject)
		list.text = &subject->unit;
	else if (number == LIST_UID && subject)
		list = (struct list){ .number = number, .id = subject->uid, .count = subject->uid_count };
	else if (number == LIST_GID && subject)
		list = (struct list){ .number = number, .id = subject->gid, .count = subject->gid_count };
	if (list.text)
		list.count = list.text->count;
	return list;
}

static uint64_t hash_start(unsigned number)
{
	/* Each of these two lists can include the other. */
	unsigned char byte = number == SELECTOR_NAME ? SELECTOR_ADDRESS : (unsigned char)number;

	return fnv_bytes(FNV_START, &byte, 1);
}

/* The bytes of an item before its first wildcard: whatever includes it begins with some of them, and no others. */
static const void *fixed_part(const struct list *list, size_t item, size_t *length)
{
	if (list->id) {
		*length = sizeof *list->id;
		return &list->id[item];
	}
	*length =
		list->number == SELECTOR_POOL ? strlen(list->text->item[item]) : strcspn(list->text->item[item], "*?[");
	return list->text->item[item];
}

static struct bucket *bucket_for(const struct policy_index *index, uint64_t hash)
{
	size_t mask = index->bucket_count - 1, i = (size_t)(hash ^ hash >> 32) & mask;

	hash += hash == 0;
	while (index->bucket[i].hash != 0 && index->bucket[i].hash != hash)
		i = (i + 1) & mask;
	return &index->bucket[i];
}

static struct bucket *bucket_of_item(const struct policy_index *index, const struct list *list, size_t item)
{
	size_t length;
	const void *bytes = fixed_part(list, item, &length);
	uint64_t hash = fnv_bytes(hash_start(list->number), bytes, length);
	struct bucket *bucket = bucket_for(index, hash);

	bucket->hash = hash + (hash == 0);
	return bucket;
}

static void count_items(struct policy_index *index, const struct policy_index_entry *entry)
{
	for (unsigned i = 0; i < LIST_COUNT; i++) {
		struct list list = list_of(entry, i);

		for (size_t k = 0; k < list.count; k++)
			bucket_of_item(index, &list, k)->used++;
	}
}

/* Puts an entry under that of its lists where the fewest others stand. */
static void put(struct policy_index *index, uint32_t number)
{
	struct list best = { .count = 0 };
	uint32_t best_used = UINT32_MAX;

	for (unsigned i = 0; i < LIST_COUNT; i++) {
		struct list list = list_of(&index->entry[number], i);
		uint32_t used = 0;

		for (size_t k = 0; k < list.count; k++) {
			const struct bucket *bucket = bucket_of_item(index, &list, k);

			used = bucket->used > used ? bucket->used : used;
		}
		if (list.count > 0 && used < best_used) {
			best = list;
			best_used = used;
		}
	}
	if (best.count == 0)
		index->universal = number;
	for (size_t k = 0; k < best.count; k++) {
		struct bucket *bucket = bucket_of_item(index, &best, k);

		index->link[index->link_count] = (struct link){ .entry = number, .next = bucket->first };
		bucket->first = (uint32_t)++index->link_count;
	}
}

struct policy_index *policy_index_new(const struct policy *policy, const struct policy_index_entry *entry, size_t count)
{
	struct policy_index *index = calloc(1, sizeof *index);
	size_t items = 1;

	if (!index)
		return NULL;
	*index = (struct policy_index){
		.policy = policy, .entry = entry, .count = count, .bucket_count = 16, .universal = SIZE_MAX
	};
	for (size_t i = 0; i < count; i++)
		for (unsigned k = 0; k < LIST_COUNT; k++)
			items += list_of(&entry[i], k).count;
	while (index->bucket_count < items * 2)
		index->bucket_count *= 2;
	index->bucket = calloc(index->bucket_count, sizeof *index->bucket);
	index->link = calloc(items, sizeof *index->link);
	if (!index->bucket || !index->link)
		return policy_index_free(index);
	for (size_t i = 0; i < count; i++)
		count_items(index, &entry[i]);
	for (size_t i = count; i > 0; i--)
		put(index, (uint32_t)(i - 1));
	return index;
}

struct policy_index *policy_index_free(struct policy_index *index)
{
	if (index) {
		free(index->bucket);
		free(index->link);
		free(index);
	}
	return NULL;
}

static bool includes(const struct policy_index *index, const struct policy_index_entry *outer,
		     const struct policy_index_entry *inner, size_t *budget)
{
	static const struct subject_selector everybody = { .any = true };

	return subject_selector_includes(outer->subject ? outer->subject : &everybody,
					 inner->subject ? inner->subject : &everybody, budget) &&
	       device_selector_includes(index->policy, outer->device, inner->device, budget);
}

/* Looks under every beginning of the list's first item. */
static size_t find_under(const struct policy_index *index, const struct list *list,
			 const struct policy_index_entry *wanted, size_t limit, size_t *budget)
{
	size_t length, from;
	const unsigned char *bytes = fixed_part(list, 0, &length);
	uint64_t hash = hash_start(list->number);

	/* Numbers and names of pools have no beginnings that stand for more. */
	from = list->id || list->number == SELECTOR_POOL ? length : 0;
	hash = fnv_bytes(hash, bytes, from);
	for (size_t i = from; i <= length; i++) {
		const struct bucket *bucket = bucket_for(index, hash);

		for (uint32_t k = bucket->first; k > 0; k = index->link[k - 1].next) {
			uint32_t entry = index->link[k - 1].entry;

			if (entry >= limit)
				break;
			if (includes(index, &index->entry[entry], wanted, budget))
				return entry;
			if (budget && *budget == 0)
				return SIZE_MAX;
		}
		if (i < length)
			hash = fnv_bytes(hash, bytes + i, 1);
	}
	return SIZE_MAX;
}

size_t policy_index_find(const struct policy_index *index, const struct policy_index_entry *wanted, size_t limit,
			 size_t *budget)
{
	const struct text_list *pools = &wanted->device->list[SELECTOR_POOL];
	const struct pool *pool = pools->count > 0 ? policy_pool(index->policy, pools->item[0]) : NULL;
	struct policy_index_entry in_pool = { .device = pool && pool->selector_count > 0 ? &pool->selector[0] : NULL };

	if (index->universal < limit)
		return index->universal;
	for (unsigned i = 0; i < LIST_COUNT; i++) {
		struct list list = list_of(wanted, i);
		size_t found = list.count > 0 ? find_under(index, &list, wanted, limit, budget) : SIZE_MAX;

		if (found == SIZE_MAX && in_pool.device && i < SELECTOR_LIST_COUNT) {
			list = list_of(&in_pool, i);
			found = list.count > 0 ? find_under(index, &list, wanted, limit, budget) : SIZE_MAX;
		}
		if (found != SIZE_MAX)
			return found;
	}
	return SIZE_MAX;
}
