/*
 * Writes numbers down in the text format OpenMetrics 1.0, so that readers of Prometheus' older text format take it, too
 * (node_exporter's textfile collector is one). Knows no metric.
 */
#pragma once

#include "../../base/histogram.h"

#include <stdio.h>

enum metric_type { METRIC_GAUGE, METRIC_COUNTER, METRIC_HISTOGRAM };

struct openmetrics {
	FILE *stream;
	char *text;
	size_t length;
	const char *name; /* of the family whose samples are written */
	enum metric_type type;
};

/* 0 or -ENOMEM; to be ended with openmetrics_end(). */
int openmetrics_begin(struct openmetrics *metrics);
/* The text, which the caller frees; NULL: out of memory. */
char *openmetrics_end(struct openmetrics *metrics);

/*
 * Begins a family: name without "_total"; unit: NULL, or the end of the name ("seconds"); help: one sentence without a
 * line end. They have to live until the next one.
 */
void openmetrics_family(struct openmetrics *metrics, enum metric_type type, const char *name, const char *unit,
			const char *help);
/* A sample of the family. label: NULL, or the name of its label, with its value, of which anything is escaped. */
void openmetrics_count(struct openmetrics *metrics, const char *label, const char *value, uint64_t number);
void openmetrics_seconds(struct openmetrics *metrics, uint64_t usec);
/* The same with two labels. */
void openmetrics_count2(struct openmetrics *metrics, const char *label, const char *value, const char *second,
			const char *second_value, uint64_t number);
/* All samples of a histogram; in seconds. */
void openmetrics_histogram(struct openmetrics *metrics, const char *label, const char *value,
			   const struct histogram *histogram);
