/*
 * Surveys that wait or are under way, and those that were made a moment ago: asks the executor, gathers the findings,
 * and answers each asker once. Users who want many get theirs by turns. Never decides anything.
 */
#pragma once

#include "executor_link.h"
#include "../../base/histogram.h"
#include "../system/turns.h"

struct surveys;

/*
 * The answer: error 0 and what was found, or a positive errno (the survey is incomplete: don't decide on it). uses is
 * valid during the call only.
 */
typedef void (*survey_answer)(void *context, int error, const struct uses *uses);

/* turns: at whose expense the answers are; they stay the caller's. 0, -ENOMEM. */
int surveys_new(sd_event *event, struct executor_link *link, struct turns *turns, struct surveys **out);
struct surveys *surveys_free(struct surveys *surveys); /* nobody is answered any more */

/*
 * Surveys devices (1 to GROUP_MEMBERS_MAX names) for a user. Whoever has asked often lately is answered, unless
 * fresh, with a survey of the same devices that is at most two seconds old, if there is one and no device came, went or
 * changed since. answer is called once, perhaps before this returns.
 * 0; -E2BIG: more devices than a survey can have; -ENOMEM, -EPIPE: answer is not called.
 */
int surveys_ask(struct surveys *surveys, const char *const *device, size_t count, uid_t asker, bool fresh,
		survey_answer answer, void *context);
/* Counts a question of this user; true if the user asked so often lately that an older answer has to do. */
bool surveys_asks_too_often(struct surveys *surveys, uid_t asker);
/* Forgets questions asked with this context: they are not answered. */
void surveys_forget(struct surveys *surveys, const void *context);
/* How long surveys took that the executor made. */
const struct histogram *surveys_duration(const struct surveys *surveys);
/* Messages from the executor. */
void surveys_found(struct surveys *surveys, const struct wire_use *use);
void surveys_done(struct surveys *surveys, const struct wire_survey_done *done);
/* Something on the host changed: what was found before is not used again. */
void surveys_outdate(struct surveys *surveys);
