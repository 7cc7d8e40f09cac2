#include "openmetrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

int openmetrics_begin(struct openmetrics *metrics)
{
	*metrics = (struct openmetrics){ .stream = NULL };
	metrics->stream = open_memstream(&metrics->text, &metrics->length);
	return metrics->stream ? 0 : -ENOMEM;
}

char *openmetrics_end(struct openmetrics *metrics)
{
	int broken;

	fputs("# EOF\n", metrics->stream);
	broken = ferror(metrics->stream);
	if (fclose(metrics->stream) != 0 || broken) {
		free(metrics->text);
		return NULL;
	}
	return metrics->text;
}

void openmetrics_family(struct openmetrics *metrics, enum metric_type type, const char *name, const char *unit,
			const char *help)
{
	static const char *const types[] = {
		[METRIC_GAUGE] = "gauge", [METRIC_COUNTER] = "counter", [METRIC_HISTOGRAM] = "histogram"
	};

	metrics->name = name;
	metrics->type = type;
	fprintf(metrics->stream, "# TYPE %s %s\n", name, types[type]);
	if (unit)
		fprintf(metrics->stream, "# UNIT %s %s\n", name, unit);
	fprintf(metrics->stream, "# HELP %s %s\n", name, help);
}

static void write_value(FILE *stream, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n') {
			fputs("\\n", stream);
			continue;
		}
		if (*text == '"' || *text == '\\')
			fputc('\\', stream);
		fputc(*text, stream);
	}
}

/* label="value", unless there is none. Returns what comes before the next one. */
static const char *write_label(struct openmetrics *metrics, const char *before, const char *label, const char *value)
{
	if (!label)
		return before;
	fprintf(metrics->stream, "%s%s=\"", before, label);
	write_value(metrics->stream, value);
	fputc('"', metrics->stream);
	return ",";
}

void openmetrics_count2(struct openmetrics *metrics, const char *label, const char *value, const char *second,
			const char *second_value, uint64_t number)
{
	const char *next;

	fprintf(metrics->stream, "%s%s", metrics->name, metrics->type == METRIC_COUNTER ? "_total" : "");
	next = write_label(metrics, write_label(metrics, "{", label, value), second, second_value);
	fprintf(metrics->stream, "%s %" PRIu64 "\n", *next == ',' ? "}" : "", number);
}

void openmetrics_count(struct openmetrics *metrics, const char *label, const char *value, uint64_t number)
{
	openmetrics_count2(metrics, label, value, NULL, NULL, number);
}

static void write_seconds(struct openmetrics *metrics, uint64_t usec)
{
	fprintf(metrics->stream, "%" PRIu64 ".%06" PRIu64, usec / 1000000, usec % 1000000);
}

void openmetrics_seconds(struct openmetrics *metrics, uint64_t usec)
{
	fprintf(metrics->stream, "%s%s ", metrics->name, metrics->type == METRIC_COUNTER ? "_total" : "");
	write_seconds(metrics, usec);
	fputc('\n', metrics->stream);
}

/* The name, its end, and its label. */
static void write_part(struct openmetrics *metrics, const char *end, const char *label, const char *value)
{
	fprintf(metrics->stream, "%s%s", metrics->name, end);
	if (*write_label(metrics, "{", label, value) == ',')
		fputc('}', metrics->stream);
	fputc(' ', metrics->stream);
}

void openmetrics_histogram(struct openmetrics *metrics, const char *label, const char *value,
			   const struct histogram *histogram)
{
	uint64_t sum = 0;

	for (int i = 0; i < HISTOGRAM_BOUNDS; i++) {
		sum += histogram->class[i];
		fprintf(metrics->stream, "%s_bucket", metrics->name);
		/* Whole numbers have a point, too, so that both formats have the same label. */
		fprintf(metrics->stream, "%sle=\"", write_label(metrics, "{", label, value));
		fprintf(metrics->stream,
			histogram_bound_usec[i] < 1000000 || histogram_bound_usec[i] % 1000000 ? "%g" : "%.1f",
			(double)histogram_bound_usec[i] / 1e6);
		fprintf(metrics->stream, "\"} %" PRIu64 "\n", sum);
	}
	fprintf(metrics->stream, "%s_bucket", metrics->name);
	fprintf(metrics->stream, "%sle=\"+Inf\"} %" PRIu64 "\n", write_label(metrics, "{", label, value),
		histogram->count);
	write_part(metrics, "_count", label, value);
	fprintf(metrics->stream, "%" PRIu64 "\n", histogram->count);
	write_part(metrics, "_sum", label, value);
	write_seconds(metrics, histogram->sum_usec);
	fputc('\n', metrics->stream);
}
