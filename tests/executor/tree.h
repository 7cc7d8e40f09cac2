/*
 * A fake machine for tests of the executor's readers: folders sys, proc and dev below a folder of the test's own,
 * filled in the words of sysfs.
 */
#pragma once

#include "../../daemon/executor/os/sysfs.h"

struct tree {
	char root[64];
	struct host host;
};

/* Makes an empty machine. The test fails if it can't. */
void tree_begin(struct tree *tree);
/* Removes all of it. */
void tree_end(struct tree *tree);

/* A file with this text, a link with this target; folders on the way are made. path: below the root. */
void tree_file(const struct tree *tree, const char *text, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void tree_link(const struct tree *tree, const char *target, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void tree_remove(const struct tree *tree, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A PCI function on the root bus with the attributes that every one has, in group 7. */
void tree_device(const struct tree *tree, const char *address, const char *vendor, const char *id,
		 const char *class_code);
/* Its driver, with bind and unbind. */
void tree_driver(const struct tree *tree, const char *address, const char *driver);
/* A network interface of it; flags as sysfs writes them, "0x1003" for one that is up. */
void tree_interface(const struct tree *tree, const char *address, const char *name, const char *flags);
/*
 * A block device. path: below /sys/devices/pci0000:00, for example "0000:00:04.0/nvme/nvme0/nvme0n1". partition: it is
 * one. number: "259:0".
 */
void tree_block(const struct tree *tree, const char *path, const char *number, bool partition);
