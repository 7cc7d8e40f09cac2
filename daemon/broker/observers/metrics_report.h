/*
 * The broker's numbers as OpenMetrics text: what was counted since it started, and how things stand now. No number has
 * a user, a claim or a device for a label: how many there are of each is not for the reader's memory to bear. Rules are
 * labels, for operators.
 */
#pragma once

#include "kernel_audit.h"
#include "metrics.h"
#include "journal_log.h"

/* Those who count. */
struct metrics_sources {
	const struct arbiter *arbiter;
	const struct metrics *metrics;
	const struct journal_log *journal_log;
	const struct kernel_audit *kernel_audit;
};

/* What the socket counts. */
struct metrics_socket {
	uint64_t connections, connections_max;
	uint64_t turned_away; /* over a quota, or for want of descriptors */
	uint64_t monitors;
	uint64_t cut_off; /* watchers that did not read */
};

/* The text, which the caller frees; NULL: out of memory. operator: with the names of rules. */
char *metrics_report(const struct metrics_sources *sources, const struct metrics_socket *socket, bool operator);
