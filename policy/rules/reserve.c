#include "reserve.h"

#include "../util/glob.h"
#include "../plan/plan.h"
#include "../util/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	ALTERNATIVES_MAX = 8, /* of one match, so that a line stays below the 16 KiB that udev reads */
	TERMS_MAX = 2 * SELECTOR_LIST_COUNT,
	OUTPUT_MAX = 16 * 1024 * 1024,
	MESSAGE_MAX = 2 * TEXT_MAX,
};

/* One list of a selector, which becomes one match of a udev rule. */
struct term {
	enum selector_list list;
	const struct text_list *items;
	size_t first; /* of the alternatives that are written now */
};

struct writing {
	const struct policy *policy;
	struct diagnostics *diagnostics;
	const struct reserve_entry *entry;
	char *text;
	size_t length, allocated;
	struct term term[TERMS_MAX];
	size_t terms;
	int error; /* -ENOMEM, -EINVAL, or 0 */
};

static void put(struct writing *writing, const char *text)
{
	size_t length = strlen(text);

	while (writing->error == 0 && writing->length + length + 1 > writing->allocated) {
		size_t allocated = writing->allocated ? writing->allocated * 2 : 1024;
		char *larger = allocated > OUTPUT_MAX ? NULL : reallocarray(writing->text, allocated, 1);

		if (larger) {
			writing->text = larger;
			writing->allocated = allocated;
		} else {
			writing->error = -ENOMEM;
		}
	}
	if (writing->error < 0)
		return;
	memcpy(writing->text + writing->length, text, length + 1);
	writing->length += length;
}

static void refuse(struct writing *writing, const char *what, const char *advice)
{
	const struct reserve_entry *entry = writing->entry;

	diagnostics_add(writing->diagnostics, true, entry->file, entry->line, entry->column,
			"reserve: udev cannot match %s: %s", what, advice);
	writing->error = -EINVAL;
}

/* True for a pattern that means the same to udev's fnmatch() and ends no string of a rules file. */
static bool is_plain(const char *pattern)
{
	bool in_set = false;

	for (const char *c = pattern; *c; c++) {
		if (!strchr("0123456789abcdef:.*?[]!-", *c))
			return false;
		/* fnmatch() takes "[[:" and its kin for names of classes. */
		if (*c == '[' && in_set)
			return false;
		if (*c == '[')
			in_set = true;
		else if (*c == ']' && c > pattern && c[-1] != '[' && !(c[-1] == '!' && c - 1 > pattern && c[-2] == '['))
			in_set = false;
	}
	return true;
}

/* Looks whether udev has words for a term; reports where it has none. */
static void check_term(struct writing *writing, enum selector_list list, const struct text_list *items)
{
	if (list == SELECTOR_DRIVER) {
		refuse(writing, "a driver", "no driver is bound yet when udev decides; select by id, class or address");
		return;
	}
	for (size_t i = 0; i < items->count && writing->error == 0; i++) {
		const char *item = items->item[i];

		if (list == SELECTOR_KIND ? strcmp(item, "pci") != 0 : !is_plain(item))
			refuse(writing, item, "write it without a '[' inside [ ]");
		else if (list == SELECTOR_PARENT && glob_has_wildcard(item))
			refuse(writing, item, "a parent must be named in full here");
	}
}

static void put_item(struct writing *writing, enum selector_list list, const char *item)
{
	char text[TEXT_MAX];

	switch (list) {
	case SELECTOR_ID:
	case SELECTOR_SUBSYSTEM:
		/* The kernel writes these in upper case. */
		text_format(text, sizeof text, "%s", item);
		for (char *c = text; *c; c++)
			if (*c >= 'a' && *c <= 'f')
				*c = (char)(*c - 'a' + 'A');
		break;
	case SELECTOR_CLASS:
		text_format(text, sizeof text, "0x%s%s", item, !glob_has_wildcard(item) && strlen(item) < 6 ? "*" : "");
		break;
	case SELECTOR_PARENT:
		text_format(text, sizeof text, "*/%s/*", item);
		break;
	case SELECTOR_NAME:
	case SELECTOR_ADDRESS:
	case SELECTOR_DRIVER:
	case SELECTOR_KIND:
	case SELECTOR_NUMA_NODE:
	case SELECTOR_POOL:
	case SELECTOR_LIST_COUNT:
		text_format(text, sizeof text, "%s", item);
		break;
	}
	put(writing, text);
}

/* One rule: each term with the alternatives that it has now. */
static void put_rule(struct writing *writing)
{
	static const char *const keys[SELECTOR_LIST_COUNT] = {
		[SELECTOR_NAME] = "KERNEL",       [SELECTOR_ADDRESS] = "KERNEL",
		[SELECTOR_ID] = "ENV{PCI_ID}",    [SELECTOR_SUBSYSTEM] = "ENV{PCI_SUBSYS_ID}",
		[SELECTOR_CLASS] = "ATTR{class}", [SELECTOR_NUMA_NODE] = "ATTR{numa_node}",
		[SELECTOR_PARENT] = "DEVPATH",
	};

	put(writing, "ACTION==\"add\", SUBSYSTEM==\"pci\", ATTR{class}!=\"0x0604*\", ");
	for (size_t i = 0; i < writing->terms; i++) {
		const struct term *term = &writing->term[i];

		if (!keys[term->list])
			continue;
		put(writing, keys[term->list]);
		put(writing, "==\"");
		for (size_t k = term->first; k < term->items->count && k < term->first + ALTERNATIVES_MAX; k++) {
			put(writing, k > term->first ? "|" : "");
			put_item(writing, term->list, term->items->item[k]);
		}
		put(writing, "\", ");
	}
	put(writing, "ENV{IOASID_RESERVED}=\"1\", ATTR{driver_override}=\"vfio-pci\"\n");
}

/* All rules of the terms: each combination of their alternatives, so many at a time. */
static void put_rules(struct writing *writing)
{
	size_t i = 0;

	while (i < writing->terms)
		writing->term[i++].first = 0;
	do {
		put_rule(writing);
		for (i = 0; i < writing->terms; i++) {
			struct term *term = &writing->term[i];

			term->first += ALTERNATIVES_MAX;
			if (term->first < term->items->count)
				break;
			term->first = 0;
		}
	} while (i < writing->terms && writing->error == 0);
}

static void add_terms(struct writing *writing, const struct device_selector *selector)
{
	for (enum selector_list i = 0; i < SELECTOR_POOL && writing->error == 0; i++) {
		if (selector->list[i].count == 0)
			continue;
		check_term(writing, i, &selector->list[i]);
		writing->term[writing->terms++] = (struct term){ .list = i, .items = &selector->list[i] };
	}
}

static void put_entry(struct writing *writing, const struct reserve_entry *entry, bool rules)
{
	const struct text_list *pools = &entry->device.list[SELECTOR_POOL];
	size_t own;

	writing->entry = entry;
	writing->terms = 0;
	add_terms(writing, &entry->device);
	own = writing->terms;
	if (rules && pools->count == 0)
		put_rules(writing);
	for (size_t i = 0; i < pools->count; i++) {
		const struct pool *pool = policy_pool(writing->policy, pools->item[i]);

		for (size_t k = 0; pool && k < pool->selector_count && writing->error == 0; k++) {
			writing->terms = own;
			add_terms(writing, &pool->selector[k]);
			if (rules && writing->error == 0)
				put_rules(writing);
		}
	}
}

int reserve_check(const struct policy *policy, struct diagnostics *diagnostics)
{
	for (size_t i = 0; i < policy->reserve_count; i++) {
		struct writing writing = { .policy = policy, .diagnostics = diagnostics };

		put_entry(&writing, &policy->reserve[i], false);
	}
	return 0;
}

int reserve_to_udev(const struct policy *policy, struct diagnostics *diagnostics, char **out)
{
	struct writing writing = { .policy = policy, .diagnostics = diagnostics };
	char text[TEXT_MAX], file[TEXT_MAX / 2];

	put(&writing, "# Generated from ioasidd's policy: devices that are reserved for claims from boot on.\n"
		      "# Generate it again after a change of \"reserve\": ioasidd --print-udev-rules\n");
	for (size_t i = 0; i < policy->reserve_count && writing.error == 0; i++) {
		const struct reserve_entry *entry = &policy->reserve[i];

		text_escape(file, sizeof file, entry->file, strlen(entry->file));
		put(&writing, text_format(text, sizeof text, "\n# %s:%u\n", file, entry->line));
		if (writing.error == 0)
			put_entry(&writing, entry, true);
	}
	if (writing.error < 0) {
		free(writing.text);
		return writing.error;
	}
	*out = writing.text;
	return 0;
}

static const struct reserve_entry *reserved_by(const struct policy *policy, const struct topology *topology,
					       const struct device *device)
{
	for (size_t i = 0; i < policy->reserve_count; i++)
		if (device_selector_matches(policy, topology, &policy->reserve[i].device, device))
			return &policy->reserve[i];
	return NULL;
}

size_t reserve_verify(const struct policy *policy, const struct topology *topology, const struct ledger *ledger,
		      reserve_report report, void *context)
{
	const struct device *device;
	size_t cursor = 0, count = 0;

	while (policy->reserve_count > 0 && (device = topology_each(topology, &cursor))) {
		const struct reserve_entry *entry;
		char message[MESSAGE_MAX];

		if (device_is_bridge(device) || (device_is_on_vfio(device) && device->driver_override[0]) ||
		    (ledger && ledger_owner(ledger, device->name, NULL)))
			continue;
		entry = reserved_by(policy, topology, device);
		if (!entry)
			continue;
		text_format(message, sizeof message, "%s is reserved (%s:%u), but ", device->name, entry->file,
			    entry->line);
		if (device_is_on_vfio(device))
			text_append(message, sizeof message, "has no driver_override, so another driver may take it");
		else if (device->driver[0])
			text_append(message, sizeof message, "is bound to the driver %s", device->driver);
		else
			text_append(message, sizeof message, "is not bound to a driver");
		text_append(message, sizeof message,
			    ": start ioasidd-reserve.service before its drivers are loaded (rebuild the initramfs and "
			    "reboot), or install the rules of 'ioasidd --print-udev-rules'");
		report(context, device, message);
		count++;
	}
	return count;
}
