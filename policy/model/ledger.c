#include "ledger.h"

#include "../util/name_table.h"
#include "../util/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A claim with what only the ledger needs of it. */
struct entry {
	struct claim claim; /* first, so that a claim's address is its entry's */
	struct entry *previous, *next;
	size_t allocated; /* of claim.device */
};

/* Who has a device. */
struct owned {
	char name[DEVICE_NAME_MAX];
	struct entry *entry;
	size_t index; /* in entry->claim.device */
};

struct ledger {
	struct name_table claims;  /* id -> struct entry */
	struct name_table devices; /* name -> struct owned */
	struct entry *first, *last;
};

bool claim_id_is_valid(const char *id)
{
	return strlen(id) == 32 && strspn(id, "0123456789abcdef") == 32;
}

struct ledger *ledger_new(void)
{
	return calloc(1, sizeof(struct ledger));
}

struct ledger *ledger_free(struct ledger *ledger)
{
	if (!ledger)
		return NULL;
	while (ledger->first)
		ledger_remove(ledger, &ledger->first->claim);
	name_table_done(&ledger->claims);
	name_table_done(&ledger->devices);
	free(ledger);
	return NULL;
}

/* A claim as it is, but for its devices and its attachment: those are its former owner's. */
static int add_entry(struct ledger *ledger, const struct claim *claim, struct claim **out)
{
	struct entry *entry;

	if (claim->id[0] == '\0' || !text_is_printable(claim->id, CLAIM_ID_MAX))
		return -EINVAL;
	if (name_table_find(&ledger->claims, claim->id))
		return -EEXIST;
	entry = calloc(1, sizeof *entry);
	if (!entry)
		return -ENOMEM;
	entry->claim = *claim;
	entry->claim.device = NULL;
	entry->claim.device_count = 0;
	entry->claim.attachment = NULL;
	if (name_table_add(&ledger->claims, entry->claim.id, entry) < 0) {
		free(entry);
		return -ENOMEM;
	}
	entry->previous = ledger->last;
	if (ledger->last)
		ledger->last->next = entry;
	else
		ledger->first = entry;
	ledger->last = entry;
	*out = &entry->claim;
	return 0;
}

static void disown(struct ledger *ledger, const char *device)
{
	struct owned *owned = name_table_find(&ledger->devices, device);

	name_table_remove(&ledger->devices, device);
	free(owned);
}

void ledger_remove(struct ledger *ledger, struct claim *claim)
{
	struct entry *entry = (struct entry *)claim;

	for (size_t i = 0; i < claim->device_count; i++)
		disown(ledger, claim->device[i].before.name);
	name_table_remove(&ledger->claims, claim->id);
	if (entry->previous)
		entry->previous->next = entry->next;
	else
		ledger->first = entry->next;
	if (entry->next)
		entry->next->previous = entry->previous;
	else
		ledger->last = entry->previous;
	free(claim->device);
	free(entry);
}

struct claim *ledger_find(const struct ledger *ledger, const char *id)
{
	struct entry *entry = name_table_find(&ledger->claims, id);

	return entry ? &entry->claim : NULL;
}

size_t ledger_count(const struct ledger *ledger)
{
	return ledger->claims.count;
}

struct claim *ledger_first(const struct ledger *ledger)
{
	return ledger->first ? &ledger->first->claim : NULL;
}

struct claim *ledger_next(const struct claim *claim)
{
	const struct entry *entry = (const struct entry *)claim;

	return entry->next ? &entry->next->claim : NULL;
}

static size_t count_asked(const struct claim *claim)
{
	size_t count = 0;

	for (size_t i = 0; i < claim->device_count; i++)
		if (!claim->device[i].lockout)
			count++;
	return count;
}

static int make_room(struct entry *entry)
{
	size_t allocated = entry->allocated ? entry->allocated * 2 : 4;
	struct claim_device *larger;

	if (entry->claim.device_count < entry->allocated)
		return 0;
	larger = reallocarray(entry->claim.device, allocated, sizeof *larger);
	if (!larger)
		return -ENOMEM;
	entry->claim.device = larger;
	entry->allocated = allocated;
	return 0;
}

int ledger_take(struct ledger *ledger, struct claim *claim, const struct claim_device *device)
{
	struct entry *entry = (struct entry *)claim;
	struct owned *owned = name_table_find(&ledger->devices, device->before.name);

	if (owned)
		return owned->entry == entry ? -EEXIST : -EBUSY;
	if (!device->lockout && count_asked(claim) >= CLAIM_DEVICES_MAX)
		return -E2BIG;
	if (make_room(entry) < 0)
		return -ENOMEM;
	owned = malloc(sizeof *owned);
	if (!owned)
		return -ENOMEM;
	text_format(owned->name, sizeof owned->name, "%s", device->before.name);
	owned->entry = entry;
	owned->index = claim->device_count;
	if (name_table_add(&ledger->devices, owned->name, owned) < 0) {
		free(owned);
		return -ENOMEM;
	}
	claim->device[claim->device_count++] = *device;
	return 0;
}

bool ledger_give_back(struct ledger *ledger, struct claim *claim, const char *device)
{
	struct owned *owned = name_table_find(&ledger->devices, device);
	size_t index;

	if (!owned || &owned->entry->claim != claim)
		return false;
	index = owned->index;
	/* By the table's own copy of the name: the caller's may stand in the entry that is overwritten below. */
	disown(ledger, owned->name);
	claim->device_count--;
	for (size_t i = index; i < claim->device_count; i++) {
		claim->device[i] = claim->device[i + 1];
		owned = name_table_find(&ledger->devices, claim->device[i].before.name);
		owned->index = i;
	}
	return true;
}

struct claim *ledger_owner(const struct ledger *ledger, const char *device, const struct claim_device **out)
{
	struct owned *owned = name_table_find(&ledger->devices, device);

	if (!owned)
		return NULL;
	if (out)
		*out = &owned->entry->claim.device[owned->index];
	return &owned->entry->claim;
}

struct claim_device *claim_find_device(struct claim *claim, const char *device)
{
	for (size_t i = 0; i < claim->device_count; i++)
		if (strcmp(claim->device[i].before.name, device) == 0)
			return &claim->device[i];
	return NULL;
}

int ledger_add(struct ledger *ledger, const struct claim *claim, struct claim **out)
{
	struct claim *added;
	int error = add_entry(ledger, claim, &added);

	if (error < 0)
		return error;
	for (size_t i = 0; i < claim->device_count && error == 0; i++)
		error = ledger_take(ledger, added, &claim->device[i]);
	if (error < 0)
		ledger_remove(ledger, added);
	else
		*out = added;
	return error;
}

size_t claim_devices_in_group(const struct claim *claim, int32_t group, const char *apart_from)
{
	size_t count = 0;

	for (size_t i = 0; i < claim->device_count && group >= 0; i++)
		if (!claim->device[i].lockout && claim->device[i].before.group == group &&
		    (!apart_from || strcmp(claim->device[i].before.name, apart_from) != 0))
			count++;
	return count;
}

struct claim_device *claim_copy_removal(const struct claim *claim, const char *device, size_t *count, bool *pin)
{
	struct claim_device *copy = calloc(claim->device_count + 1, sizeof *copy);
	const struct claim_device *entry = NULL;

	for (size_t i = 0; i < claim->device_count; i++)
		if (strcmp(claim->device[i].before.name, device) == 0)
			entry = &claim->device[i];
	if (!copy || !entry) {
		free(copy);
		return NULL;
	}
	*count = 0;
	*pin = claim_devices_in_group(claim, device_claimed_group(&entry->before), device) > 0;
	for (size_t i = 0; i < claim->device_count; i++)
		if (&claim->device[i] == entry ||
		    (!*pin && device_shares_group(&claim->device[i].before, &entry->before)))
			copy[(*count)++] = claim->device[i];
	return copy;
}

void ledger_shrink(struct ledger *ledger, struct claim *claim, const char *device)
{
	struct claim_device *entry = claim_find_device(claim, device);
	int32_t group = entry ? device_claimed_group(&entry->before) : -1;
	char gone[DEVICE_NAME_MAX];

	if (!entry)
		return;
	if (claim_devices_in_group(claim, group, device) > 0) {
		/* Its group stays the claim's. */
		entry->lockout = true;
		return;
	}
	/* The caller's text may be the entry's. */
	memcpy(gone, entry->before.name, sizeof gone);
	for (size_t i = claim->device_count; i > 0; i--)
		if (strcmp(claim->device[i - 1].before.name, gone) == 0 ||
		    (group >= 0 && device_claimed_group(&claim->device[i - 1].before) == group))
			ledger_give_back(ledger, claim, claim->device[i - 1].before.name);
}

size_t ledger_devices_of(const struct ledger *ledger, uid_t uid, const char *rule)
{
	size_t count = 0;

	/* Counted anew each time: owner, rule and lockout are the broker's to change through the pointers it has. */
	for (const struct entry *entry = ledger->first; entry; entry = entry->next)
		if (entry->claim.uid == uid && strcmp(entry->claim.rule, rule) == 0)
			count += count_asked(&entry->claim);
	return count;
}

size_t ledger_devices_under(const struct ledger *ledger, const char *rule)
{
	size_t count = 0;

	for (const struct entry *entry = ledger->first; entry; entry = entry->next)
		if (strcmp(entry->claim.rule, rule) == 0)
			count += count_asked(&entry->claim);
	return count;
}

size_t ledger_devices_of_user(const struct ledger *ledger, uid_t uid)
{
	size_t count = 0;

	for (const struct entry *entry = ledger->first; entry; entry = entry->next)
		if (entry->claim.uid == uid)
			count += count_asked(&entry->claim);
	return count;
}
