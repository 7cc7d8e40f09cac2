#include "faults.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ERRNO_MAX = 133 };

int faults_add(struct faults *faults, const struct fault *fault)
{
	struct fault *copy = malloc(sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	*copy = *fault;
	TAILQ_INSERT_TAIL(faults, copy, link);
	return 0;
}

static bool matches(const struct fault *fault, int step, const char *device, bool undo)
{
	return (fault->step < 0 || fault->step == step) && (fault->both || fault->undo == undo) &&
	       (!*fault->device || strcmp(fault->device, device) == 0);
}

enum fault_effect faults_strike(struct faults *faults, int step, const char *device, bool undo, int *error)
{
	struct fault *fault;

	TAILQ_FOREACH(fault, faults, link)
	{
		enum fault_effect effect = fault->kill ? FAULT_KILL : fault->error ? FAULT_FAIL : FAULT_HANG;

		if (!matches(fault, step, device, undo))
			continue;
		if (fault->after > 0) {
			fault->after--;
			continue;
		}
		*error = fault->error;
		if (fault->times > 0 && --fault->times == 0) {
			TAILQ_REMOVE(faults, fault, link);
			free(fault);
		}
		return effect;
	}
	return FAULT_NONE;
}

void faults_clear(struct faults *faults, bool only_hangs)
{
	struct fault *fault, *next;

	for (fault = TAILQ_FIRST(faults); fault; fault = next) {
		next = TAILQ_NEXT(fault, link);
		if (only_hangs && (fault->kill || fault->error))
			continue;
		TAILQ_REMOVE(faults, fault, link);
		free(fault);
	}
}

int fault_errno_from_string(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	if (digits > 0 && digits <= 3 && !text[digits]) {
		int number = atoi(text);

		return number > 0 && number <= ERRNO_MAX ? number : -EINVAL;
	}
	for (int number = 1; number <= ERRNO_MAX; number++) {
		const char *name = strerrorname_np(number);

		if (name && strcmp(name, text) == 0)
			return number;
	}
	return -EINVAL;
}

int fault_step_from_string(const char *text)
{
	if (strcmp(text, "result") == 0)
		return FAULT_AT_RESULT;
	for (int kind = 0; kind < STEP_KIND_COUNT; kind++)
		if (strcmp(step_kind_to_string((enum step_kind)kind), text) == 0)
			return kind;
	return -EINVAL;
}

/* Copies what stands before the first of the stop characters; returns the rest, or NULL if it does not fit. */
static const char *cut(const char *text, const char *stop, char *out, size_t size)
{
	size_t length = strcspn(text, stop);

	if (length >= size)
		return NULL;
	memcpy(out, text, length);
	out[length] = '\0';
	return text + length;
}

int fault_parse(const char *text, bool hang, struct fault *out)
{
	struct fault fault = { .error = hang ? 0 : EIO };
	char word[32];

	if (strncmp(text, "undo-", 5) == 0) {
		fault.undo = true;
		text += 5;
	}
	text = cut(text, ":=", word, sizeof(word));
	if (!text)
		return -EINVAL;
	fault.step = strcmp(word, "any") == 0 ? -1 : fault_step_from_string(word);
	if (fault.step < -1)
		return -EINVAL;
	if (*text == ':') {
		text = cut(text + 1, "=", fault.device, sizeof(fault.device));
		if (!text || !device_name_is_valid(fault.device))
			return -EINVAL;
	}
	if (*text == '=') {
		fault.error = hang ? -EINVAL : fault_errno_from_string(text + 1);
		if (fault.error < 0)
			return -EINVAL;
	} else if (*text) {
		return -EINVAL;
	}
	*out = fault;
	return 0;
}
