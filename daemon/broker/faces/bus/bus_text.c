#include "bus_text.h"

#include "../../../../policy/util/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The first byte that is no part of a well-formed character, or the end. */
static char *first_bad(const char *text)
{
	size_t left = strlen(text), length;
	uint32_t character;

	while (left > 0 && (length = text_character(text, left, &character)) > 0) {
		text += length;
		left -= length;
	}
	return (char *)text;
}

int bus_text_append(sd_bus_message *message, const char *text)
{
	char *copy, *bad;
	int result;

	if (!*first_bad(text))
		return sd_bus_message_append_basic(message, 's', text);
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	for (bad = first_bad(copy); *bad; bad = first_bad(bad))
		*bad = '?';
	result = sd_bus_message_append_basic(message, 's', copy);
	free(copy);
	return result;
}

int bus_text_append_variant(sd_bus_message *message, const char *text)
{
	int result = sd_bus_message_open_container(message, 'v', "s");

	if (result >= 0)
		result = bus_text_append(message, text);
	return result < 0 ? result : sd_bus_message_close_container(message);
}
