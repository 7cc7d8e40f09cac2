/*
 * The kinds of devices: one row a kind, which says all that differs between them. Whoever needs to know asks the row of
 * a device for one of its traits; nobody tells kinds apart by their number. A new kind is one more row in
 * device_kinds.c, and one file that has the row and what it points to. What only the executor does with a kind has a
 * row of its own (executor/devices/device_kind.c).
 *
 * A device's name is the same everywhere: on the wire, in claim files, in plans and policies, on both faces. Names that
 * are made of their parent's begin with it: the process address space 5 of 0000:01:00.0 is called 0000:01:00.0.pasid5.
 * No name is one of two kinds, so that a name has one owner.
 */
#pragma once

#include "../../include/words.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a claim can name. The number stands for the kind on the wire only. */
enum device_kind {
	DEVICE_PCI, /* "pci": a PCI function, named by its address, 0000:01:00.0 */
};

struct field;
struct json_value;

struct device_kind_row {
	const char *text; /* in policies, replies and claim files */

	/* Names. Asked only for names that are safe: see device_name_is_valid(). */
	const char *name_alphabet; /* outside its wildcards a glob over names has no other character */
	bool (*name_is_valid)(const char *name);
	/* Writes the name in full that a person typed in another form. 0, or -EINVAL. NULL: there is no other form. */
	int (*name_complete)(const char *typed, char out[static DEVICE_NAME_MAX]);

	/* The kind's own part of a struct device. The rest of the room for it is zero. */
	size_t details_size;
	/* What is wrong with the details, or NULL. NULL: nothing can be, there are none. */
	const char *(*details_fault)(const void *details);
	/* The keys that snapshots have of them, with offsets in the details. */
	const struct field *fields;
	size_t field_count;
	/* Settles what the keys of a snapshot left open. NULL: nothing. */
	void (*fill_in)(const struct json_value *said, void *details);

	/*
	 * true: only an IOMMU group isolates it, and whoever gets the device gets the group, so that the other members
	 * are locked out. false: it locks nothing out, and its group, if it has any, says nothing.
	 */
	bool takes_group;
	/* The VFIO driver that a claim moves it to, if it is on none. NULL: it is never moved between drivers. */
	const char *claim_driver;
	/* Whether a device with these details can be reset between its owners. NULL: none of the kind can. */
	bool (*can_be_reset)(const void *details);
	bool masters_bus; /* that nobody drives it any more is to be seen in its bus mastering, too */
	uint32_t modes;   /* bit N: a claim can be delivered in enum delivery_mode N */
	/* bit N: through enum vfio_interface N */
	uint32_t interfaces;
	/* Whether its node in /dev, below node_folder, can have this name. */
	bool (*node_is_valid)(const char *name);
	const char *node_folder;
};

/* One row for each enum device_kind. */
extern const struct device_kind_row *const device_kinds[];
extern const uint32_t device_kind_count;

/* The row of a kind that is one. */
const struct device_kind_row *device_kind_row(uint32_t kind);
const char *device_kind_to_string(enum device_kind kind);
int device_kind_from_string(const char *text);
/* All kinds for people: "pci" in quotes, with a comma between two. Returns out. */
const char *device_kinds_list(char *out, size_t size);

/*
 * True for the name of a device of any kind: [A-Za-z0-9:._+-], none longer than DEVICE_NAME_MAX has room for, not
 * beginning with a dot, and a name as one of the kinds has it. It can stand in a path.
 */
bool device_name_is_valid(const char *text);
/* Writes the full name that a person means, in whatever form: "01:00.0". 0, or -EINVAL and leaves out alone. */
int device_name_complete(const char *text, char out[static DEVICE_NAME_MAX]);
