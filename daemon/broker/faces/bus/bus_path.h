/*
 * Object paths of org.ioasid1: which object a path names, and the path of an object. Knows nothing of what there is.
 */
#pragma once

#include "../../../../policy/model/device.h"

#include <stddef.h>

#define BUS_NAME "org.ioasid1"
#define BUS_ROOT "/org/ioasid1"

enum bus_node {
	BUS_NODE_NONE,    /* no path of ours */
	BUS_NODE_MANAGER, /* BUS_ROOT itself */
	BUS_NODE_FOLDER,  /* BUS_ROOT/device, /group, /claim: objects hang below, and there is none */
	BUS_NODE_DEVICE,
	BUS_NODE_GROUP,
	BUS_NODE_CLAIM,
	BUS_NODE_COUNT,
};

/* What a path names: an object that may or may not be there. */
struct bus_object_name {
	enum bus_node node;
	enum bus_node below;        /* BUS_NODE_FOLDER: of what it is the folder */
	char name[DEVICE_NAME_MAX]; /* a device's name, a claim's id; "" else */
	int32_t group;              /* a group's number */
};

/* Each object has one path: another spelling of it is BUS_NODE_NONE. */
void bus_path_parse(const char *path, struct bus_object_name *out);

enum { BUS_PATH_MAX = 256 }; /* bytes, the NUL included: of any name that a device can have */
/* Each writes the path and returns out. */
const char *bus_path_of_device(const char *name, char out[static BUS_PATH_MAX]);
const char *bus_path_of_group(int32_t group, char out[static BUS_PATH_MAX]);
const char *bus_path_of_claim(const char *id, char out[static BUS_PATH_MAX]);
/* The interface that an object of this kind has of its own; NULL for none. */
const char *bus_interface_of(enum bus_node node);
