/*
 * A second, slow implementation of the decision, written from what the headers of the core promise and not from its
 * code: it shares the data structures with it and nothing else. Kernels that lack something are not its matter.
 */
#pragma once

#include "fixture.h"

enum { WORLD_DEVICES = 24, WORLD_USES = 16, WORLD_CLAIMS = 4, ANSWER_MAX = 256 };

/* A claim as a list. */
struct world_claim {
	const char *id, *rule;
	uid_t uid;
	enum delivery_mode mode;
	struct {
		size_t device; /* in world.device */
		bool lockout;
	} entry[WORLD_DEVICES];
	size_t count;
};

/* A host as lists that are walked. */
struct world {
	struct device device[WORLD_DEVICES];
	size_t device_count;
	struct use use[WORLD_USES];
	size_t use_count;
	struct world_claim claim[WORLD_CLAIMS];
	size_t claim_count;
};

struct world_request {
	const struct subject *subject;
	const char *text[8]; /* devices, and pools as "pool:NAME" */
	size_t count;
	int32_t numa_node;
	enum delivery_mode mode;
	const struct world_claim *claim; /* that grows; or NULL */
};

/* What was found, as lines that can be compared: "kind device member" and "device for covered". */
struct reference_answer {
	bool allowed;
	enum exit_status status;
	char blocker[ANSWER_MAX][192];
	size_t blocker_count;
	char lockout[ANSWER_MAX][192];
	size_t lockout_count;
	char device[8][DEVICE_NAME_MAX]; /* in the order asked, the chosen in the place of their pools */
	size_t device_count;
};

void reference_decide(const struct policy *policy, const struct world *world, const struct world_request *request,
		      struct reference_answer *out);
