#include "answer_error.h"

static const char *refusal_name(enum exit_status status)
{
	switch (status) {
	case EXIT_REFUSED:
		return "RefusedByPolicy";
	case EXIT_BUSY:
		return "Busy";
	case EXIT_UNKNOWN:
		return "NotFound";
	case EXIT_UNSUPPORTED:
		return "Unsupported";
	case EXIT_DONE:
	case EXIT_FAILED:
	case EXIT_USAGE:
	case EXIT_UNREACHABLE:
		break;
	}
	return "Failed";
}

const char *answer_error_name(const struct answer *answer)
{
	switch (answer->kind) {
	case ANSWER_REFUSED:
		return refusal_name(answer->decision->status);
	case ANSWER_FAILED:
		return "Failed";
	case ANSWER_NO_CLAIM:
		return "NotFound";
	case ANSWER_WRONG_STATE:
		return "WrongState";
	case ANSWER_POLICY_INVALID:
		return "PolicyInvalid";
	case ANSWER_UNSUPPORTED:
		return "Unsupported";
	case ANSWER_NO_OPERATOR:
		return "OperatorsOnly";
	case ANSWER_UNACKNOWLEDGED:
		return "UnacknowledgedDescriptors";
	case ANSWER_PLAN:
	case ANSWER_OFFER:
	case ANSWER_DONE:
	case ANSWER_RESUMED:
	case ANSWER_RELEASED:
	case ANSWER_POLICY:
	case ANSWER_SNAPSHOT:
	case ANSWER_AUDIT:
		break;
	}
	return NULL;
}

const char *answer_error_message(const struct answer *answer)
{
	if (answer->kind == ANSWER_REFUSED)
		return decision_headline(answer->decision) ? decision_headline(answer->decision)->message
							   : "the claim is refused";
	if (answer->kind == ANSWER_NO_CLAIM)
		return "no such claim, or permission denied: see ioasidctl list";
	return answer->message ? answer->message : "";
}
