/*
 * Audits as they come over the wire, in parts: gathers what the broker says of its contexts, and answers with what an
 * inquiry finds.
 */
#pragma once

#include "simulated_audit.h"

#include "../base/wire.h"

/* All zero but for the machine is one that has heard nothing. */
struct auditing {
	struct machine *machine;
	uint64_t id; /* of the audit that is being received */
	struct inquiry_context *context;
	size_t count;
};

/* A stamped message for the broker. */
typedef void (*auditing_send)(void *context, const union wire_message *message);

/* One part of an audit: the last is answered. broker: its pid, 0 unknown. */
void auditing_hear(struct auditing *auditing, pid_t broker, const struct wire_audit *part, auditing_send send,
		   void *context);
void auditing_done(struct auditing *auditing);
