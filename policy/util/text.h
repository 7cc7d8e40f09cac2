/*
 * Text from outside, and sentences in fixed arrays: what is printable, how the rest is shown, and how a sentence that
 * is too long ends. Never looks at the locale: everything is UTF-8.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The length in bytes (1 to 4) of the well-formed UTF-8 character at text, of which available bytes may be read, with
 * its number in *character; or 0 where there is none.
 */
size_t text_character(const char *text, size_t available, uint32_t *character);
/* True if a text is UTF-8 and nothing else. */
bool text_is_utf8(const char *text);
/* True for a character that shows as itself: no control, no direction override, no line separator. */
bool text_character_is_printable(uint32_t character);
/* True if the text ends within size bytes and all of it is printable UTF-8. The empty text is. */
bool text_is_printable(const char *text, size_t size);
/* Formats into out; what does not fit is cut between two characters and ends in "...". Returns out. */
char *text_format(char *out, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
char *text_format_list(char *out, size_t size, const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));
/* Like text_format() at the end of the text that is in out already. */
char *text_append(char *out, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Copies text with each byte that is not part of a printable character as \xHH, cut like text_format(). Returns out. */
char *text_escape(char *out, size_t size, const char *text, size_t length);
