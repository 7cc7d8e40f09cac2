#include "layout.h"

#include "../../escape.h"

#include <langinfo.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

enum { WIDTH_DEFAULT = 80, WIDTH_LEAST = 60, WIDTH_MOST = 240 };

void layout_detect(struct layout *layout, FILE *stream)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	bool terminal = isatty(fileno(stream));
	struct winsize size;

	layout->stream = stream;
	layout->width = WIDTH_DEFAULT;
	layout->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	layout->wrap = terminal;
	layout->colour =
		terminal && (no_color == NULL || *no_color == '\0') && term != NULL && strcmp(term, "dumb") != 0;
	if (terminal && ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
		layout->width = size.ws_col;
		if (layout->width < WIDTH_LEAST)
			layout->width = WIDTH_LEAST;
		if (layout->width > WIDTH_MOST)
			layout->width = WIDTH_MOST;
	}
}

/* Takes one character like escape_next(), and tells how many columns it takes. */
static size_t next_character(const struct layout *layout, const char **text, char out[static ESCAPED_MAX])
{
	uint32_t code_point = escape_next(text, !layout->utf8, out);
	int columns;

	if (code_point == 0)
		return strlen(out);
	columns = wcwidth((wchar_t)code_point);
	return columns < 0 ? 1 : (size_t)columns;
}

size_t layout_columns(const struct layout *layout, const char *text)
{
	char out[ESCAPED_MAX];
	size_t columns = 0;

	while (*text != '\0')
		columns += next_character(layout, &text, out);
	return columns;
}

void layout_text(const struct layout *layout, const char *text)
{
	escape_write(layout->stream, text, !layout->utf8);
}

size_t layout_cell(const struct layout *layout, const char *text, size_t columns, bool fill)
{
	bool clip = layout_columns(layout, text) > columns;
	size_t room = clip && columns > 0 ? columns - 1 : columns;
	size_t written = 0;
	char out[ESCAPED_MAX];

	while (*text != '\0') {
		size_t more = next_character(layout, &text, out);

		if (written + more > room)
			break;
		fputs(out, layout->stream);
		written += more;
	}
	if (clip && columns > 0) {
		fputs(layout->utf8 ? "\u2026" : "~", layout->stream);
		written++;
	}
	for (; fill && written < columns; written++)
		fputc(' ', layout->stream);
	return written;
}

void layout_colour(const struct layout *layout, enum colour colour)
{
	static const char *const sequence[] = {
		[COLOUR_NONE] = "\x1b[0m",  [COLOUR_BOLD] = "\x1b[1m",  [COLOUR_FAINT] = "\x1b[2m",
		[COLOUR_GOOD] = "\x1b[32m", [COLOUR_WARN] = "\x1b[33m", [COLOUR_BAD] = "\x1b[31m",
	};

	if (layout->colour)
		fputs(sequence[colour], layout->stream);
}

/* Writes the characters from text to end, escaped. */
static void write_word(const struct layout *layout, const char *text, const char *end)
{
	char out[ESCAPED_MAX];

	while (text < end) {
		next_character(layout, &text, out);
		fputs(out, layout->stream);
	}
}

void layout_sentence(const struct layout *layout, const char *prefix, size_t indent, const char *text)
{
	size_t column = layout_columns(layout, prefix);
	bool first = true;

	layout_text(layout, prefix);
	if (!layout->wrap) {
		layout_text(layout, text);
		fputc('\n', layout->stream);
		return;
	}
	while (*text != '\0') {
		const char *end = text;
		char out[ESCAPED_MAX];
		size_t columns = 0;

		while (*end != '\0' && *end != ' ')
			columns += next_character(layout, &end, out);
		if (!first && column + 1 + columns > layout->width) {
			fprintf(layout->stream, "\n%*s", (int)indent, "");
			column = indent;
		} else if (!first) {
			fputc(' ', layout->stream);
			column++;
		}
		write_word(layout, text, end);
		column += columns;
		first = false;
		text = end;
		while (*text == ' ')
			text++;
	}
	fputc('\n', layout->stream);
}

__attribute__((format(printf, 4, 0))) static void sentence_of(const struct layout *layout, const char *prefix,
							      size_t indent, const char *format, va_list arguments)
{
	char *text = NULL;

	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	layout_sentence(layout, prefix, indent, text != NULL ? text : "(out of memory)");
	free(text);
}

void layout_sentence_of(const struct layout *layout, const char *prefix, size_t indent, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	sentence_of(layout, prefix, indent, format, arguments);
	va_end(arguments);
}

void layout_row_of(const struct layout *layout, const char *label, size_t columns, const char *format, ...)
{
	char prefix[48];
	va_list arguments;

	snprintf(prefix, sizeof(prefix), "%-*s ", (int)columns, label);
	va_start(arguments, format);
	sentence_of(layout, prefix, columns + 1, format, arguments);
	va_end(arguments);
}
