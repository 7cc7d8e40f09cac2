/*
 * The file that describes a host, which is a snapshot of one (policy/report/snapshot.h), read into a machine, and a
 * machine written as such a file. Strict: a file with an error is refused whole, with the place of the error.
 */
#pragma once

#include "machine.h"

#include "../../policy/util/json_text.h"

/* Reads a file into an empty machine. 0, -ENOMEM, or -EINVAL with *problem filled (also where it can't be read). */
int host_file_load(const char *path, struct machine *machine, struct json_problem *problem);
/* The same of a text. */
int host_text_load(const char *text, size_t length, struct machine *machine, struct json_problem *problem);
/* Adds a device, as {"devices": […]} would, to a machine that has those it refers to. */
int host_add_device(const struct json_value *value, struct machine *machine, struct json_problem *problem);
/* Adds a use, as {"uses": […]} would. */
int host_add_use(const struct json_value *value, struct machine *machine, struct json_problem *problem);
/* The machine as it is now; the caller owns the object, which is whole as json_write.h says. */
struct json_object *host_to_json(const struct machine *machine);
