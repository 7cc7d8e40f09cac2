#include "audit_parts.h"

#include "simulated_kernel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Where findings go. */
struct telling {
	uint64_t id;
	auditing_send send;
	void *context;
};

static void on_hold(void *to, const struct hold *hold)
{
	const struct telling *telling = to;
	union wire_message message;

	message.hold.hold = *hold;
	wire_stamp(&message, WIRE_HOLD, telling->id);
	telling->send(telling->context, &message);
}

static void on_access(void *to, const struct node_access *access)
{
	const struct telling *telling = to;
	union wire_message message;

	message.node_access.access = *access;
	wire_stamp(&message, WIRE_NODE_ACCESS, telling->id);
	telling->send(telling->context, &message);
}

/* 0, -ENOMEM, -EIO: a part before it is missing. */
static int keep_contexts(struct auditing *auditing, const struct wire_audit *part)
{
	struct inquiry_context *larger;

	if (part->first == 0) {
		auditing->id = part->header.id;
		auditing->count = 0;
	}
	if (part->header.id != auditing->id || part->first != auditing->count)
		return -EIO;
	if (part->count > WIRE_AUDIT_CONTEXTS_MAX - auditing->count)
		return -E2BIG;
	larger = reallocarray(auditing->context, auditing->count + part->count + 1, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	auditing->context = larger;
	for (uint32_t i = 0; i < part->count; i++) {
		struct inquiry_context *context = &larger[auditing->count++];

		context->fd = part->context[i].fd;
		memcpy(context->claim, part->context[i].claim, sizeof(context->claim));
	}
	return 0;
}

void auditing_hear(struct auditing *auditing, pid_t broker, const struct wire_audit *part, auditing_send send,
		   void *context)
{
	struct telling telling = { .id = part->header.id, .send = send, .context = context };
	struct inquiry inquiry = {
		.machine = auditing->machine, .broker = broker, .hold = on_hold, .access = on_access, .to = &telling
	};
	union wire_message message;
	int error = keep_contexts(auditing, part);

	if (part->more)
		return;
	kernel_hear_of_closes(auditing->machine);
	inquiry.context = auditing->context;
	inquiry.context_count = auditing->count;
	if (error == 0)
		error = inquiry_run(&inquiry);
	message.audit_done = (struct wire_audit_done){ .error = -error, .compared = broker > 0 };
	wire_stamp(&message, WIRE_AUDIT_DONE, part->header.id);
	send(context, &message);
}

void auditing_done(struct auditing *auditing)
{
	free(auditing->context);
	auditing->context = NULL;
}
