/*
 * What happens, written down for the operator: in systemd's journal with fields (journal_entry.h) and a message id
 * each, which its catalogue explains; or without a journal as lines on standard error. Listens to the news; never
 * waits.
 */
#pragma once

#include "../arbiter/arbiter.h"

struct journal_log;

/* What became of entries, since the start. */
struct journal_log_counts {
	uint64_t written;
	uint64_t lost;     /* the journal did not take them */
	uint64_t left_out; /* refusals of users who had too many */
};

/* journal: the path of the journal's socket; NULL: lines on standard error. 0, -ENOMEM, -errno of socket(). */
int journal_log_new(struct arbiter *arbiter, const char *claim_files, struct journal_log **out);
struct journal_log *journal_log_free(struct journal_log *journal_log);
struct journal_log_counts journal_log_count(const struct journal_log *journal_log);
