/*
 * The executor's side of the contract, whatever program it is: started as the broker starts it, spoken to over the
 * wire. Any answer that does not come in time, or that nobody asked for, ends the test program with a bail-out.
 */
#pragma once

#include "../../daemon/base/wire.h"

struct side {
	int wire;
	pid_t pid;
	struct wire_hello hello;
	struct topology *topology; /* as told, with the events that have come since */
	uint64_t last_id;
	struct topology *surveyed;     /* as the last survey found them: an event under way may tell what was before */
	struct uses uses;              /* of the last survey */
	char unknown[DEVICE_NAME_MAX]; /* a device that the last survey said is gone; "" none */
};

/* A plan's result with its FDs, which the caller owns. */
struct result {
	struct wire_result wire;
	struct descriptors fds;
};

/* Starts the command with the policy folder appended and FD 3 as the wire, and hears its greeting and topology. */
void side_start(struct side *side, const char *command, const char *policy_folder);
/* Closes the wire and waits for the program; returns its exit status, or 128 and its signal. */
int side_stop(struct side *side);
/* The same where the other side has closed the wire by itself; true if it has. */
bool side_has_closed(struct side *side);

/* Surveys devices: side->surveyed, side->uses and the topology are fresh then. Returns the survey's error. */
int side_survey(struct side *side, const char *const *device, size_t count);
/* Sends a plan, with whose it is, and returns its id. */
uint64_t side_send_plan(struct side *side, enum wire_plan_kind kind, uint64_t digest, const struct plan *plan,
			const struct wire_enclosure *enclosure);
/* Waits for the result of a plan. */
struct result side_await_result(struct side *side, uint64_t id);
/* True if a device is told to have lost its VFIO node before the result of the plan comes. */
bool side_await_node_gone(struct side *side, const char *device);
/* Asks for the policy to be read again. */
struct wire_policy side_reload(struct side *side);
/* What an audit found. */
struct audited {
	struct hold hold[64];
	size_t hold_count;
	struct node_access access[64];
	size_t access_count;
	struct wire_audit_done done;
};
/* Audits; context: an FD of ours that is the context of the claim "one", or -1. */
void side_audit(struct side *side, int context, struct audited *out);
/* Has a record written; returns the error. */
int side_record(struct side *side, const struct audit_record *record);
/* Has something stopped; question has all but its header. pidfd: -1: none goes with it. */
struct wire_stopped side_stop_other(struct side *side, const struct wire_stop *question, int pidfd);
/* Sends any bytes as a packet, with an FD if it is not -1. */
void side_send_bytes(struct side *side, const void *bytes, size_t size, int fd);

/* Says why, and ends the program. */
_Noreturn void bail_out(const char *format, ...) __attribute__((format(printf, 1, 2)));
