#include "operation.h"

#include "../../../policy/decide/pool_shortlist.h"
#include "../../base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* 0 or -ENOMEM. */
static int find_candidates(struct operation *operation)
{
	const char *text[CLAIM_DEVICES_MAX + GROUP_MEMBERS_MAX], *found[GROUP_MEMBERS_MAX];
	struct registry *registry = operation->registry;
	const struct host_view view = registry_view(registry, NULL);
	const struct request request = operation_request(operation, text);
	int count = pool_shortlist(registry->policy, &view, &request, found);

	if (count <= 0)
		return count;
	operation->candidate = calloc((size_t)count, sizeof(*operation->candidate));
	if (!operation->candidate)
		return -ENOMEM;
	operation->candidate_count = (size_t)count;
	for (int i = 0; i < count; i++)
		snprintf(operation->candidate[i], DEVICE_NAME_MAX, "%s", found[i]);
	return 0;
}

struct operation *operation_new(enum operation_kind kind, struct registry *registry, struct requester *requester,
				const struct question *question, const struct subject *subject)
{
	struct operation *operation = calloc(1, sizeof(*operation) + question->count * REQUEST_TEXT_MAX);
	bool pools = false;

	if (!operation)
		return NULL;
	operation->kind = kind;
	operation->since = clock_usec(CLOCK_MONOTONIC);
	operation->registry = registry;
	operation->requester = requester;
	operation->mode = question->mode;
	operation->numa_node = question->numa_node;
	operation->subject = subject ? *subject : requester->subject;
	operation->for_operator = subject != NULL;
	operation->count = question->count;
	operation->lease.kind = question->lease;
	if (question->lease == LEASE_UNIT)
		snprintf(operation->lease.unit, sizeof(operation->lease.unit), "%s",
			 question->lease_unit ? question->lease_unit : operation->subject.unit);
	for (size_t i = 0; i < question->count; i++) {
		snprintf(operation->text[i], REQUEST_TEXT_MAX, "%s", question->device[i]);
		pools = pools || request_pool(operation->text[i]);
	}
	return pools && find_candidates(operation) < 0 ? operation_free(operation) : operation;
}

struct operation *operation_free(struct operation *operation)
{
	if (operation) {
		unit_watch_free(operation->unit);
		free(operation->candidate);
	}
	free(operation);
	return NULL;
}

struct request operation_request(const struct operation *operation, const char **text)
{
	struct request request = {
		.subject = &operation->subject,
		.for_operator = operation->for_operator,
		.device = text,
		.device_count = operation->count,
		.candidate = text + operation->count,
		.candidate_count = operation->candidate_count,
		.numa_node = operation->numa_node,
		.mode = operation->mode,
	};

	for (size_t i = 0; i < operation->count; i++)
		text[i] = operation->text[i];
	for (size_t i = 0; i < operation->candidate_count; i++)
		text[operation->count + i] = operation->candidate[i];
	return request;
}
