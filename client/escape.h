/*
 * Makes text from outside harmless for a terminal: characters that are not plain and printable are written as \n, \t or
 * \xNN. Knows nothing of where the text comes from or goes to, and of no locale.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Bytes that escape_next() writes at most, its NUL included: four bytes as \xNN. */
enum { ESCAPED_MAX = 17 };

/*
 * Takes the first character off *text (not empty; moved behind that character) and writes its printable form with a NUL
 * into out. Stays as they are: printable ASCII (the backslash too, so that escaping twice changes nothing), and, unless
 * ascii is true, valid UTF-8 that neither controls the terminal nor turns the direction of writing. Returns the code
 * point where the character was left as it is, 0 where it was escaped.
 */
uint32_t escape_next(const char **text, bool ascii, char out[static ESCAPED_MAX]);
/* Writes all of text, escaped, to a stream. */
void escape_write(FILE *stream, const char *text, bool ascii);
/*
 * Writes JSON text to a stream with every character that escape_next() would not let through as \uNNNN; line ends,
 * which only the layout of JSON has, are kept. It is the same JSON after that.
 */
void escape_write_json(FILE *stream, const char *json);
