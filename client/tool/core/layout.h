/*
 * How text is laid out on a stream: how wide it is, in which characters, with which colours; and cells that are never
 * wider than they were told, whatever stands in them. Every string is written escaped.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct layout {
	FILE *stream;
	size_t width; /* columns of a line */
	bool utf8;    /* the locale's characters; else ASCII alone */
	bool colour;
	bool wrap; /* sentences are broken into lines; else each stays one line, for programs that read */
};

enum colour {
	COLOUR_NONE,
	COLOUR_BOLD,
	COLOUR_FAINT,
	COLOUR_GOOD,
	COLOUR_WARN,
	COLOUR_BAD,
};

/*
 * Finds out what a stream can show: the terminal's own width, else 80; colours on a terminal only, and not where the
 * environment has NO_COLOR or TERM=dumb. The locale has to be set.
 */
void layout_detect(struct layout *layout, FILE *stream);
/* Columns that a text takes, escaped. */
size_t layout_columns(const struct layout *layout, const char *text);
/* Writes a text, escaped. */
void layout_text(const struct layout *layout, const char *text);
/*
 * Writes a text into a cell of so many columns: clipped, with a mark that says so, or filled up with spaces if fill is
 * true. Returns the columns that were written.
 */
size_t layout_cell(const struct layout *layout, const char *text, size_t columns, bool fill);
/* Switches to a colour; COLOUR_NONE switches back. */
void layout_colour(const struct layout *layout, enum colour colour);
/*
 * Writes a sentence behind a first prefix, and a line end. Where it is wrapped, the lines below start with as many
 * spaces as indent says.
 */
void layout_sentence(const struct layout *layout, const char *prefix, size_t indent, const char *text);
/* The same for a sentence that is put together here. */
void layout_sentence_of(const struct layout *layout, const char *prefix, size_t indent, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* A label, filled up to so many columns, and a sentence behind it. */
void layout_row_of(const struct layout *layout, const char *label, size_t columns, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
