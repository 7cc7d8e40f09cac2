/*
 * Texts as a bus carries them: a message with anything but well-formed UTF-8 in it would end the connection.
 */
#pragma once

#include <systemd/sd-bus.h>

/* Appends a string; bytes that are no well-formed UTF-8 become '?'. 0 or more, or -errno. */
int bus_text_append(sd_bus_message *message, const char *text);
/* Appends a whole variant with it. */
int bus_text_append_variant(sd_bus_message *message, const char *text);
