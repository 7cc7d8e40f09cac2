/*
 * Which PCI function a network interface, a block device or another node of the kernel's hangs on, from the links of
 * /sys/class and /sys/dev. Looks only.
 */
#pragma once

#include "../../../include/words.h"
#include "../os/sysfs.h"

struct class_link {
	char name[64];                /* eth0, nvme0n1p2 */
	char above[64];               /* the folder that it is in: for a partition its disk */
	char device[DEVICE_NAME_MAX]; /* the PCI function nearest above it; "" where there is none */
	char usb[32];                 /* the USB device nearest above it, "1-2.4"; "" where there is none */
	dev_t number;                 /* class_links_read_nodes() only */
};

/* Sorted by device, then by above, then by name. */
struct class_links {
	struct class_link *link;
	size_t count;
	size_t allocated;
};

/* Some of them that stand beside each other. */
struct class_range {
	const struct class_link *link;
	size_t count;
};

/* Reads /sys/class/NAME. A class that does not exist has no links. 0, -ENOMEM, or -errno of reading. */
int class_links_read(const struct host *host, const char *name, struct class_links *out);
/* The same for another folder of links below /sys: "bus/nd/devices". */
int class_links_read_folder(const struct host *host, const char *folder, struct class_links *out);
/* Reads of a class only the entries of these names, separated by blanks. As class_links_read(). */
int class_links_read_some(const struct host *host, const char *name, const char *entries, struct class_links *out);
/* Reads all character devices, from /sys/dev/char. As class_links_read(). */
int class_links_read_nodes(const struct host *host, struct class_links *out);
void class_links_done(struct class_links *links);

/* Those of a PCI function; "": those that hang on none. */
struct class_range class_links_of(const struct class_links *links, const char *device);
/* Of those, the ones in that folder. */
struct class_range class_links_above(const struct class_links *links, const char *device, const char *above);

/*
 * Reads what a path says by itself, its last component into link->name. The path is cut up.
 */
void class_link_parse(char *path, struct class_link *link);
