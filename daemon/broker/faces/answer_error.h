/*
 * The one table of errors: what both faces call an answer that is one, and the sentence that goes with it.
 */
#pragma once

#include "../core/requester.h"

/* The last part of the error's name in each face, "Busy"; NULL if the answer is not an error. */
const char *answer_error_name(const struct answer *answer);
/* The sentence of an answer that is an error. Lives as long as the answer. */
const char *answer_error_message(const struct answer *answer);
