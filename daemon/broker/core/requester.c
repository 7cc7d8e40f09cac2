#include "requester.h"

#include "../../../policy/util/text.h"

#include <string.h>

bool question_take_device(const char *text, char out[static REQUEST_TEXT_MAX])
{
	if (!request_pool(text))
		return device_name_complete(text, out) == 0;
	if (!request_pool(text)[0] || !text_is_printable(text, REQUEST_TEXT_MAX))
		return false;
	strcpy(out, text);
	return true;
}

void requester_answer(struct requester *requester, const struct answer *answer)
{
	if (requester)
		requester->answer(requester->context, answer);
}

void requester_answer_failed(struct requester *requester, const char *message, const struct wire_result *result)
{
	requester_answer(requester, &(struct answer){ .kind = ANSWER_FAILED, .message = message, .result = result });
}

void requester_answer_kind(struct requester *requester, enum answer_kind kind, const struct claim *claim,
			   const char *message)
{
	requester_answer(requester, &(struct answer){ .kind = kind,
						      .claim = claim,
						      .state = claim ? claim->state : CLAIM_ASKED,
						      .message = message });
}
