/*
 * An event of org.ioasid1 in words, a line for each. Prints, asks nobody.
 */
#pragma once

struct json_object;
struct layout;

/* event: of whatever kind, with whatever fields. */
void event_text_write(const struct layout *out, struct json_object *event);
