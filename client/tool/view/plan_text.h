/*
 * A plan in words: the verdict first, then what the host would lose in plain language, then all the rest. Prints, asks
 * nobody, decides nothing.
 */
#pragma once

#include <stdbool.h>

struct device_names;
struct json_object;
struct layout;

/* The verdict of a plan, as an exit status; -1 where it has none that makes sense. */
int plan_text_verdict(struct json_object *plan);
/* plan: a Plan of org.ioasid1. names: what was asked for. as: whom it was asked for, by name or number; NULL: oneself.
 */
void plan_text_write(const struct layout *out, struct json_object *plan, const struct device_names *names,
		     const char *as);
