/*
 * Whether the policy files that are there are in force, as the broker and its executor last read them, and if not, what
 * they were refused for. Reads nothing itself and decides nothing.
 */
#pragma once

#include "../../base/wire.h"

#include <json-c/json.h>

/* What one of the two programs refused when it last read the files. */
struct policy_refusal {
	uint64_t usec;                  /* CLOCK_REALTIME; 0: it refused nothing */
	bool at_start;                  /* it began without a policy, and denies everything; usec is not 0 then */
	struct diagnostics diagnostics; /* the errors, the first few of them */
	size_t more;                    /* and how many there are beyond those */
};

struct policy_standing {
	struct policy_refusal broker, executor;
	char place[2 *
		   TEXT_MAX]; /* the first thing that is wrong, with its place: for operators. "" where nothing is */
};

/* What this program refused; errors of diagnostics only. */
void policy_standing_refuse(struct policy_standing *standing, bool at_start, const struct diagnostics *diagnostics);
/* What the executor refused, with an error. */
void policy_standing_refuse_executor(struct policy_standing *standing, bool at_start,
				     const struct wire_refusal *message);
/* Both hold what is there. */
void policy_standing_accept(struct policy_standing *standing);
/* True if one of the two programs has no policy at all, so that every claim is refused. */
bool policy_standing_denies_all(const struct policy_standing *standing);

/*
 * The type PolicyRefusal of org.ioasid1, which the caller owns, or NULL: what is there is in force. apart: the two
 * programs hold different policies. whole: with places and reasons, which operators are told.
 */
struct json_object *policy_standing_report(const struct policy_standing *standing, bool apart, bool whole);
