/*
 * The device arguments of plan, run and claim, read and put into words.
 */
#pragma once

#include "device_names.h"

struct json_object;
struct session;

/* Reads the arguments of the command line. EXIT_DONE, or EXIT_USAGE, which was told. */
int device_arguments_read(struct session *session, struct device_names *names);
/* The parameters of Plan for these devices and the options of the command line. NULL: out of memory. */
struct json_object *device_arguments_question(const struct session *session, const struct device_names *names);
/* "0000:01:00.0 and 0000:02:00.0", cut with "..." if it is longer than size. Returns out. */
const char *device_arguments_text(const struct device_names *names, char *out, size_t size);
