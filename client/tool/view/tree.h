/*
 * Draws IOMMU groups as trees: each group, below it its members, below a bridge what is behind it. Every line fits the
 * width of the layout, whatever the daemon says.
 */
#pragma once

#include "../core/layout.h"

#include <stdint.h>

struct json_object;
struct tree;

/* The group of tree_draw() that stands for all of them. */
#define TREE_ALL_GROUPS INT64_MIN

/*
 * Sorts devices into groups. devices, groups and claims are the lists of ListDevices, ListGroups and ListClaims (NULL:
 * not known); they have to live as long as the tree. Where they differ (a device came or went between two calls),
 * devices counts. NULL: out of memory.
 */
struct tree *tree_new(struct json_object *devices, struct json_object *groups, struct json_object *claims);
/* The state of a device or group, as people write it: "in use" for "in-use". */
const char *tree_state_words(const char *state);
struct tree *tree_free(struct tree *tree);
/* Draws one group, or all with the devices that have none at the end. Returns how many devices were drawn. */
size_t tree_draw(const struct tree *tree, const struct layout *layout, int64_t group);
