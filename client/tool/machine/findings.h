/*
 * What doctor finds: a list of checks, each with its state, a sentence, and what to do. Collects text, no more.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum finding_state {
	FINDING_OK,
	FINDING_WARNING, /* claims are delivered all the same */
	FINDING_MISSING,
};

struct finding {
	const char *check; /* lives for ever: "interface" */
	enum finding_state state;
	char text[320];
	char remedy[512]; /* "" where there is nothing to do */
};

enum { FINDINGS_MAX = 24 };

struct findings {
	struct finding list[FINDINGS_MAX];
	size_t count;
};

/* Adds a finding without a remedy, and returns it; there is room for all checks that there are. */
struct finding *findings_add(struct findings *findings, const char *check, enum finding_state state, const char *format,
			     ...) __attribute__((format(printf, 4, 5)));
/* Sets what to do about a finding. */
void finding_remedy(struct finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "ok", "warning", "missing". */
const char *finding_state_text(enum finding_state state);
/* The finding of a check; NULL: there is none. */
const struct finding *findings_find(const struct findings *findings, const char *check);
