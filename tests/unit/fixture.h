/*
 * Small hosts, policies and subjects for the unit tests of the policy core, in its own words. Nothing here decides.
 */
#pragma once

#include "../../policy/decide/decide.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Numbers that look random and are the same in every run. */
struct dice {
	uint64_t state;
};
struct dice dice_of(uint64_t seed);
/* From 0 to below limit. */
uint32_t dice_roll(struct dice *dice, uint32_t limit);

/* Users alice 1000, bob 1001, toor and root 0; groups kvm 36, vmadmin 200, students 300. */
extern const struct name_resolver test_names;

struct subject subject_of(uid_t uid);

/* A device on the driver "e1000" (or the given one; "" for none), id 8086:100e, class 020000, that can be reset. */
struct device device_of(const char *name, int32_t group, const char *driver);
/* The same on vfio-pci. */
struct device vfio_device_of(const char *name, int32_t group);

struct host {
	struct topology *topology;
	struct uses uses;
	struct ledger *ledger;
	struct kernel_features kernel;
	struct host_view view; /* of all of it */
};
/* An empty host with a kernel that has everything. */
void host_init(struct host *host);
void host_done(struct host *host);
void host_add(struct host *host, const struct device *device);
void host_add_use(struct host *host, const char *device, enum use_kind kind, enum severity severity, const char *text);
/* A claim with one asked-for device as it is in the topology, held by uid under the rule; more by host_claim_more(). */
struct claim *host_claim(struct host *host, const char *id, uid_t uid, const char *rule, const char *device);
void host_claim_more(struct host *host, struct claim *claim, const char *device, bool lockout);

/* The policy of one text; fails the test if it has errors. */
struct policy *policy_of(const char *text);

/* A file's contents, NUL-terminated, from malloc(). Fails the test if it can't be read. */
char *read_whole(const char *folder, const char *name, size_t *length);

/* Fails unless text contains part. */
void assert_contains(const char *text, const char *part);
