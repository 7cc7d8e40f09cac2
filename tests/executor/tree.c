#include "tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

void tree_begin(struct tree *tree)
{
	char path[128];
	const char *const folder[] = { "sys", "proc", "dev" };

	snprintf(tree->root, sizeof(tree->root), "%s", "/tmp/ioasid-executor-tree-XXXXXX");
	assert_non_null(mkdtemp(tree->root));
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", tree->root, folder[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	assert_int_equal(host_open(&tree->host, tree->root), 0);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
	return remove(path);
}

void tree_end(struct tree *tree)
{
	host_close(&tree->host);
	assert_int_equal(nftw(tree->root, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* Makes the folders above a path. */
static void make_way(const char *path)
{
	char copy[512];

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *c = copy + 1; *c; c++)
		if (*c == '/') {
			*c = '\0';
			mkdir(copy, 0700);
			*c = '/';
		}
}

static void make_path(const struct tree *tree, char out[static 512], const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));
static void make_path(const struct tree *tree, char out[static 512], const char *format, va_list arguments)
{
	int length = snprintf(out, 512, "%s/", tree->root);

	vsnprintf(out + length, 512 - (size_t)length, format, arguments);
}

void tree_file(const struct tree *tree, const char *text, const char *format, ...)
{
	char path[512];
	va_list arguments;
	FILE *file;

	va_start(arguments, format);
	make_path(tree, path, format, arguments);
	va_end(arguments);
	make_way(path);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

void tree_link(const struct tree *tree, const char *target, const char *format, ...)
{
	char path[512];
	va_list arguments;

	va_start(arguments, format);
	make_path(tree, path, format, arguments);
	va_end(arguments);
	make_way(path);
	unlink(path);
	assert_int_equal(symlink(target, path), 0);
}

void tree_remove(const struct tree *tree, const char *format, ...)
{
	char path[512];
	va_list arguments;

	va_start(arguments, format);
	make_path(tree, path, format, arguments);
	va_end(arguments);
	assert_int_equal(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void tree_device(const struct tree *tree, const char *address, const char *vendor, const char *id,
		 const char *class_code)
{
	const struct {
		const char *name;
		const char *text;
	} attribute[] = {
		{ "vendor", vendor },
		{ "device", id },
		{ "class", class_code },
		{ "subsystem_vendor", vendor },
		{ "subsystem_device", id },
		{ "numa_node", "-1" },
		{ "driver_override", "(null)" },
	};
	char target[128], line[64];

	for (size_t i = 0; i < sizeof(attribute) / sizeof(*attribute); i++) {
		snprintf(line, sizeof(line), "%s\n", attribute[i].text);
		tree_file(tree, line, "sys/devices/pci0000:00/%s/%s", address, attribute[i].name);
	}
	snprintf(target, sizeof(target), "../../../devices/pci0000:00/%s", address);
	tree_link(tree, target, "sys/bus/pci/devices/%s", address);
	tree_link(tree, "../../../kernel/iommu_groups/7", "sys/devices/pci0000:00/%s/iommu_group", address);
	snprintf(target, sizeof(target), "../../../../devices/pci0000:00/%s", address);
	tree_link(tree, target, "sys/kernel/iommu_groups/7/devices/%s", address);
}

void tree_driver(const struct tree *tree, const char *address, const char *driver)
{
	char target[128];

	snprintf(target, sizeof(target), "../../../bus/pci/drivers/%s", driver);
	tree_link(tree, target, "sys/devices/pci0000:00/%s/driver", address);
	tree_file(tree, "", "sys/bus/pci/drivers/%s/bind", driver);
	tree_file(tree, "", "sys/bus/pci/drivers/%s/unbind", driver);
}

void tree_interface(const struct tree *tree, const char *address, const char *name, const char *flags)
{
	char target[256], line[32];

	snprintf(line, sizeof(line), "%s\n", flags);
	tree_file(tree, line, "sys/devices/pci0000:00/%s/net/%s/flags", address, name);
	snprintf(target, sizeof(target), "../../devices/pci0000:00/%s/net/%s", address, name);
	tree_link(tree, target, "sys/class/net/%s", name);
}

void tree_block(const struct tree *tree, const char *path, const char *number, bool partition)
{
	char target[256], line[32];

	snprintf(line, sizeof(line), "%s\n", number);
	tree_file(tree, line, "sys/devices/pci0000:00/%s/dev", path);
	if (partition)
		tree_file(tree, "1\n", "sys/devices/pci0000:00/%s/partition", path);
	snprintf(target, sizeof(target), "../../devices/pci0000:00/%s", path);
	tree_link(tree, target, "sys/class/block/%s", path_last(path));
}
