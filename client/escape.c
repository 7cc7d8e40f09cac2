#include "escape.h"

#include "../policy/util/text.h"

#include <string.h>

/* As text_character(), of a text that ends with a NUL and is not empty. */
static size_t decode(const char *text, uint32_t *code_point)
{
	return text_character(text, strnlen(text, 4), code_point);
}

struct range {
	uint32_t first, last;
};

/* What a terminal obeys, or hides, or uses to show text in another order than it has. */
static bool is_harmless(uint32_t code_point)
{
	static const struct range harmful[] = {
		{ 0x00, 0x1f },       { 0x7f, 0x9f },     /* C0 and C1 controls, DEL */
		{ 0xad, 0xad },       { 0x61c, 0x61c },   /* soft hyphen, Arabic letter mark */
		{ 0x200b, 0x200f },                       /* zero width characters, direction marks */
		{ 0x2028, 0x202e },                       /* line and paragraph separators, embeddings */
		{ 0x2060, 0x206f },                       /* word joiner, isolates */
		{ 0xfeff, 0xfeff },   { 0xfff0, 0xffff }, /* byte order mark, specials */
		{ 0xe0000, 0xe0fff },                     /* tags */
	};

	for (size_t i = 0; i < sizeof(harmful) / sizeof(*harmful); i++)
		if (code_point >= harmful[i].first && code_point <= harmful[i].last)
			return false;
	return true;
}

uint32_t escape_next(const char **text, bool ascii, char out[static ESCAPED_MAX])
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *byte = (const unsigned char *)*text;
	uint32_t code_point;
	size_t length = decode(*text, &code_point);

	if (length > 0 && is_harmless(code_point) && (!ascii || code_point < 0x80)) {
		memcpy(out, byte, length);
		out[length] = '\0';
		*text += length;
		return code_point;
	}
	if (length == 0)
		length = 1;
	*text += length;
	if (byte[0] == '\n' || byte[0] == '\t') {
		*out++ = '\\';
		*out++ = byte[0] == '\n' ? 'n' : 't';
	} else {
		for (size_t i = 0; i < length; i++) {
			*out++ = '\\';
			*out++ = 'x';
			*out++ = hex[byte[i] >> 4];
			*out++ = hex[byte[i] & 0xf];
		}
	}
	*out = '\0';
	return 0;
}

void escape_write(FILE *stream, const char *text, bool ascii)
{
	char out[ESCAPED_MAX];

	while (*text != '\0') {
		escape_next(&text, ascii, out);
		fputs(out, stream);
	}
}

void escape_write_json(FILE *stream, const char *json)
{
	char out[ESCAPED_MAX];
	uint32_t code_point;

	while (*json != '\0') {
		const char *character = json;

		if (*json == '\n') {
			fputc(*json++, stream);
		} else if (escape_next(&json, false, out) != 0) {
			fputs(out, stream);
		} else if (decode(character, &code_point) == 0) {
			fputs("\\ufffd", stream); /* no UTF-8: JSON can't carry it */
		} else if (code_point < 0x10000) {
			fprintf(stream, "\\u%04x", (unsigned int)code_point);
		} else {
			fprintf(stream, "\\u%04x\\u%04x", 0xd800 + (unsigned int)((code_point - 0x10000) >> 10),
				0xdc00 + (unsigned int)((code_point - 0x10000) & 0x3ff));
		}
	}
}
