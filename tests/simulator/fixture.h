/*
 * A simulator that runs beside the test: started with its control socket, spoken to over the wire and over that socket.
 */
#pragma once

#include "../contract/side.h"

#include <json-c/json_object.h>

struct fixture {
	char folder[64]; /* ours: the policy and the control socket */
	char control_path[96];
	struct side side; /* the wire; not of a simulator that was started to stay */
	pid_t staying;    /* that simulator; 0: none */
	int control;
	uint64_t digest;
	struct delivery delivery; /* of claim_plan(): all zero is the mode attached with an iommufd */
};

/* A host file of four devices: a bridge with two cards in one group, and a card alone. */
#define BRIDGE "0000:00:01.0"
#define CARD "0000:01:00.0"
#define SIBLING "0000:01:01.0"
#define ALONE "0000:00:02.0"

/* Makes the folder with a policy that allows all of it, and the host file in it. */
void fixture_begin(struct fixture *fixture);
/* The same with another kernel: "'kernel': { … }, ". */
void fixture_begin_on(struct fixture *fixture, const char *kernel);
/* Starts a simulator that serves us, or one that stays. */
void fixture_start(struct fixture *fixture);
void fixture_start_staying(struct fixture *fixture);
/* Attaches to the one that stays, as a broker's executor. */
void fixture_attach(struct fixture *fixture);
/* Ends what runs and removes the folder. */
void fixture_end(struct fixture *fixture);

/* Sends a command's line (quotes as '), and returns the answer; the caller owns it. */
struct json_object *command(struct fixture *fixture, const char *text);
/* The same for a command that has to be done. */
void command_ok(struct fixture *fixture, const char *text);
/* The same for one that has to be refused, with this in its error. */
void command_refused(struct fixture *fixture, const char *text, const char *fragment);
/* The host as the simulator has it, as text; the caller frees it. */
char *host_now(struct fixture *fixture);

/* A claim plan of a device and the members that it locks out (NULL: none), as the side knows them now. */
struct plan claim_plan(struct fixture *fixture, const char *asked, const char *locked_out);
/* A release plan of devices that were as the side knew them when the claim plan was made. */
struct plan release_plan(struct fixture *fixture, const struct device *asked, const struct device *locked_out);
/* Fills in whose plan it is: a claim of its own for each device that is asked for first, by the rule "all". */
void fixture_own(const struct plan *plan, struct wire_enclosure *enclosure);
uint64_t send_claim(struct fixture *fixture, const struct plan *plan);
uint64_t send_release(struct fixture *fixture, const struct plan *plan);
/* Sends and awaits; FDs that come are the caller's. */
struct result run_claim_plan(struct fixture *fixture, const struct plan *plan);
struct result run_release_plan(struct fixture *fixture, const struct plan *plan);
/* The device as the side knows it. */
struct device known(struct fixture *fixture, const char *name);
