/*
 * The host that the tests of decisions are about: a test card and a network card behind one bridge, so that they share
 * a group; a disk in a group of its own. Nothing here decides.
 *
 *   0000:00:1c.0  bridge     group 5
 *   0000:02:01.0  no driver  group 5   1234:11e8, the test card
 *   0000:02:02.0  e1000      group 5   the network card
 *   0000:03:00.0  nvme       group 6   the disk
 */
#pragma once

#include "fixture.h"

#define BRIDGE "0000:00:1c.0"
#define CARD "0000:02:01.0"
#define NETWORK "0000:02:02.0"
#define DISK "0000:03:00.0"

/* A rule "r" that allows alice all devices, with more keys: ", \"lockout\": \"unused\"" or "". */
#define RULE_FOR_ALICE(more) \
	"{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\", \"subject\": {\"user\": \"alice\"}, \"device\": " \
	"{\"kind\": \"pci\"}" more "}]}"

void host_init_two_groups(struct host *host);
/* Changes a device in place: the pointer is good until the next change of the topology. */
struct device *host_device(struct host *host, const char *name);

struct question {
	uid_t uid;
	enum delivery_mode mode;
	const struct claim *claim;
	const char *device[CLAIM_DEVICES_MAX + 1];
	size_t count;      /* 0: up to the first NULL */
	int32_t numa_node; /* plus one, so that 0 is unknown */
	const char *const *candidate;
	size_t candidate_count;
};
/* Decides under the text of a policy, or under policy where that is not NULL. The caller frees *out. */
void ask(struct host *host, const struct policy *policy, const struct question *question, struct decision *out);
/* Asks under a policy's text, which is parsed and freed: the decision's rules are not to be looked at. */
void ask_under(struct host *host, const char *policy, const struct question *question, struct decision *out);

/* The only blocker of that kind for that device and member (NULL: any); fails where there is none, or are several. */
const struct blocker *find_blocker(const struct decision *decision, enum blocker_kind kind, const char *device,
				   const char *member);
size_t count_blockers(const struct decision *decision, enum blocker_kind kind);
