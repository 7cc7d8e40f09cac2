#include "escape.h"

#include <string.h>

/*
 * The length of the valid UTF-8 sequence at text, with its code point; 0 if it is not valid (RFC 3629: no overlong
 * form, no surrogate, nothing above 10FFFF).
 */
static size_t decode(const unsigned char *text, uint32_t *code_point)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t value;
	size_t length;

	if (text[0] < 0x80) {
		*code_point = text[0];
		return 1;
	}
	if (text[0] >= 0xc2 && text[0] <= 0xdf)
		length = 2;
	else if (text[0] >= 0xe0 && text[0] <= 0xef)
		length = 3;
	else if (text[0] >= 0xf0 && text[0] <= 0xf4)
		length = 4;
	else
		return 0;
	value = text[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80) /* a NUL stops here, too */
			return 0;
		value = value << 6 | (text[i] & 0x3f);
	}
	if (value < smallest[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*code_point = value;
	return length;
}

struct range {
	uint32_t first, last;
};

/* What a terminal obeys, or hides, or uses to show text in another order than it has. */
static bool is_harmless(uint32_t code_point)
{
	static const struct range harmful[] = {
		{ 0x00, 0x1f }, { 0x7f, 0x9f },     /* C0 and C1 controls, DEL */
		{ 0xad, 0xad }, { 0x61c, 0x61c },   /* soft hyphen, Arabic letter mark */
		{ 0x200b, 0x200f },                 /* zero width characters, direction marks */
		{ 0x2028, 0x202e },                 /* line and paragraph separators, embeddings */
		{ 0x2060, 0x206f },                 /* word joiner, isolates */
		{ 0xfeff, 0xfeff }, { 0xfff0, 0xffff }, /* byte order mark, specials */
		{ 0xe0000, 0xe0fff },               /* tags */
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
	size_t length = decode(byte, &code_point);

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
		const unsigned char *byte = (const unsigned char *)json;

		if (*json == '\n') {
			fputc(*json++, stream);
		} else if (escape_next(&json, false, out) != 0) {
			fputs(out, stream);
		} else if (decode(byte, &code_point) == 0) {
			fputs("\\ufffd", stream); /* no UTF-8: JSON can't carry it */
		} else if (code_point < 0x10000) {
			fprintf(stream, "\\u%04x", (unsigned int)code_point);
		} else {
			fprintf(stream, "\\u%04x\\u%04x", 0xd800 + (unsigned int)((code_point - 0x10000) >> 10),
				0xdc00 + (unsigned int)((code_point - 0x10000) & 0x3ff));
		}
	}
}
