#include "bus_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICES BUS_ROOT "/device"
#define GROUPS BUS_ROOT "/group"
#define CLAIMS BUS_ROOT "/claim"

static bool is_plain(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9');
}

/* As sd_bus_path_encode() does it, without its memory. */
static void encode(const char *name, char *out, size_t size)
{
	size_t length = 0;

	if (!name[0])
		length = (size_t)snprintf(out, size, "_");
	for (size_t i = 0; name[i] && length + 4 < size; i++) {
		bool plain = is_plain(name[i]) && !(i == 0 && name[i] <= '9');

		if (plain)
			out[length++] = name[i];
		else
			length += (size_t)snprintf(out + length, size - length, "_%02x", (unsigned char)name[i]);
	}
	out[length] = '\0';
}

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* False for a label that no name is encoded to. */
static bool decode(const char *label, char out[static DEVICE_NAME_MAX])
{
	char again[BUS_PATH_MAX];
	size_t length = 0;

	for (const char *at = label; *at; at++) {
		if (length == DEVICE_NAME_MAX - 1)
			return false;
		if (*at != '_') {
			out[length++] = *at;
			continue;
		}

		int high = hex_digit(at[1]), low = high < 0 ? -1 : hex_digit(at[2]);

		if (low < 0 || (high == 0 && low == 0))
			return false;
		out[length++] = (char)(high * 16 + low);
		at += 2;
	}
	out[length] = '\0';
	encode(out, again, sizeof(again));
	return length > 0 && strcmp(again, label) == 0;
}

static bool take_group(const char *label, int32_t *out)
{
	char again[16];
	long number;

	if (strlen(label) > 10)
		return false;
	number = strtol(label, NULL, 10);
	if (number < 0 || number > INT32_MAX)
		return false;
	snprintf(again, sizeof(again), "%ld", number);
	*out = (int32_t)number;
	return strcmp(again, label) == 0;
}

static bool take_claim(const char *label, char out[static DEVICE_NAME_MAX])
{
	size_t length = strlen(label);

	if (length == 0 || length >= CLAIM_ID_MAX || length >= DEVICE_NAME_MAX)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!is_plain(label[i]))
			return false;
	memcpy(out, label, length + 1);
	return true;
}

/* What is below this folder: its label, "" for the folder itself, or NULL for a path elsewhere. */
static const char *label_in(const char *path, const char *folder)
{
	size_t length = strlen(folder);

	if (strncmp(path, folder, length) != 0 || (path[length] != '/' && path[length] != '\0'))
		return NULL;
	return path[length] ? path + length + 1 : path + length;
}

void bus_path_parse(const char *path, struct bus_object_name *out)
{
	static const struct {
		const char *folder;
		enum bus_node node;
	} folders[] = { { DEVICES, BUS_NODE_DEVICE }, { GROUPS, BUS_NODE_GROUP }, { CLAIMS, BUS_NODE_CLAIM } };

	*out = (struct bus_object_name){ .node = BUS_NODE_NONE, .group = -1 };
	if (strcmp(path, BUS_ROOT) == 0)
		out->node = BUS_NODE_MANAGER;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		const char *label = label_in(path, folders[i].folder);

		if (!label)
			continue;
		out->below = folders[i].node;
		if (!label[0])
			out->node = BUS_NODE_FOLDER;
		else if ((out->below == BUS_NODE_DEVICE && decode(label, out->name)) ||
			 (out->below == BUS_NODE_GROUP && take_group(label, &out->group)) ||
			 (out->below == BUS_NODE_CLAIM && take_claim(label, out->name)))
			out->node = out->below;
	}
}

const char *bus_path_of_device(const char *name, char out[static BUS_PATH_MAX])
{
	strcpy(out, DEVICES "/");
	encode(name, out + sizeof(DEVICES), BUS_PATH_MAX - sizeof(DEVICES));
	return out;
}

const char *bus_path_of_group(int32_t group, char out[static BUS_PATH_MAX])
{
	snprintf(out, BUS_PATH_MAX, GROUPS "/%d", group);
	return out;
}

const char *bus_path_of_claim(const char *id, char out[static BUS_PATH_MAX])
{
	snprintf(out, BUS_PATH_MAX, CLAIMS "/%s", id);
	return out;
}

const char *bus_interface_of(enum bus_node node)
{
	switch (node) {
	case BUS_NODE_MANAGER:
		return BUS_NAME ".Manager";
	case BUS_NODE_DEVICE:
		return BUS_NAME ".Device";
	case BUS_NODE_GROUP:
		return BUS_NAME ".Group";
	case BUS_NODE_CLAIM:
		return BUS_NAME ".Claim";
	case BUS_NODE_NONE:
	case BUS_NODE_FOLDER:
	case BUS_NODE_COUNT:
		break;
	}
	return NULL;
}
