#include "text.h"

#include <stdio.h>
#include <string.h>

size_t text_character(const char *text, size_t available, uint32_t *character)
{
	const unsigned char *byte = (const unsigned char *)text;
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t value;
	size_t length;

	if (available == 0)
		return 0;
	if (byte[0] < 0x80) {
		*character = byte[0];
		return 1;
	}
	if (byte[0] >= 0xc2 && byte[0] <= 0xdf) {
		length = 2;
		value = byte[0] & 0x1f;
	} else if ((byte[0] & 0xf0) == 0xe0) {
		length = 3;
		value = byte[0] & 0x0f;
	} else if (byte[0] >= 0xf0 && byte[0] <= 0xf4) {
		length = 4;
		value = byte[0] & 0x07;
	} else {
		return 0;
	}
	if (length > available)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (byte[i] & 0x3f);
	}
	if (value < smallest[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*character = value;
	return length;
}

bool text_is_utf8(const char *text)
{
	size_t left = strlen(text), length;
	uint32_t character;

	while (left > 0) {
		length = text_character(text, left, &character);
		if (length == 0)
			return false;
		text += length;
		left -= length;
	}
	return true;
}

bool text_character_is_printable(uint32_t character)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = {
		{ 0x00, 0x1f },     { 0x7f, 0x9f },     { 0x61c, 0x61c },   { 0x200e, 0x200f }, { 0x2028, 0x202e },
		{ 0x2066, 0x2069 }, { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xfffe, 0xffff },
	};

	for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
		if (character >= hidden[i].first && character <= hidden[i].last)
			return false;
	return true;
}

bool text_is_printable(const char *text, size_t size)
{
	const char *end = memchr(text, '\0', size);
	uint32_t character;

	if (!end)
		return false;
	while (text < end) {
		size_t length = text_character(text, (size_t)(end - text), &character);

		if (length == 0 || !text_character_is_printable(character))
			return false;
		text += length;
	}
	return true;
}

/* Ends the text in out, of which length bytes are filled, between two characters and with dots. */
static void cut(char *out, size_t size, size_t length)
{
	size_t end = size < 4 ? 0 : size - 4;

	if (end > length)
		end = length;
	out[length] = '\0';
	/* A byte 10xxxxxx continues a character: the cut moves to where that character begins. */
	while (end > 0 && ((unsigned char)out[end] & 0xc0) == 0x80)
		end--;
	if (size < 4)
		out[0] = '\0';
	else
		memcpy(out + end, "...", 4);
}

char *text_format_list(char *out, size_t size, const char *format, va_list arguments)
{
	int length;

	if (size == 0)
		return out;
	length = vsnprintf(out, size, format, arguments);
	if (length < 0)
		out[0] = '\0';
	else if ((size_t)length >= size)
		cut(out, size, size - 1);
	return out;
}

char *text_format(char *out, size_t size, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	text_format_list(out, size, format, arguments);
	va_end(arguments);
	return out;
}

char *text_append(char *out, size_t size, const char *format, ...)
{
	size_t length = strnlen(out, size);
	va_list arguments;
	int more;

	if (length >= size)
		return out;
	va_start(arguments, format);
	more = vsnprintf(out + length, size - length, format, arguments);
	va_end(arguments);
	if (more < 0)
		out[length] = '\0';
	else if ((size_t)more >= size - length)
		cut(out, size, size - 1);
	return out;
}

char *text_escape(char *out, size_t size, const char *text, size_t length)
{
	static const char digit[] = "0123456789abcdef";
	size_t done = 0;
	uint32_t character;

	if (size == 0)
		return out;
	for (size_t i = 0; i < length;) {
		size_t bytes = text_character(text + i, length - i, &character);
		bool printable = bytes > 0 && text_character_is_printable(character);

		if (bytes == 0)
			bytes = 1;
		if (done + (printable ? bytes : 4 * bytes) >= size) {
			cut(out, size, done);
			return out;
		}
		for (size_t k = 0; k < bytes; k++, i++) {
			unsigned char byte = (unsigned char)text[i];

			if (printable) {
				out[done++] = text[i];
				continue;
			}
			out[done++] = '\\';
			out[done++] = 'x';
			out[done++] = digit[byte >> 4];
			out[done++] = digit[byte & 15];
		}
	}
	out[done] = '\0';
	return out;
}
