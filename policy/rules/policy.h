/*
 * The operator's policy: an immutable snapshot, parsed from the texts of the policy files. A reload parses a new one
 * and swaps. Reading the files is policy_files.c's work; here is no I/O. Implemented in policy.c (the snapshot),
 * match.c (what it selects) and parse*.c (from JSON).
 */
#pragma once

#include "../model/subject.h"
#include "../model/topology.h"

#include <stddef.h>
#include <stdint.h>

/* Texts of a list in a rule, compared with the device: shell globs, or exact where there is no glob character. */
struct text_list {
	char **item;
	size_t count;
};

/* The lists of a selector. All but classes are globs, or exact where there is no glob character. */
enum selector_list {
	SELECTOR_NAME,      /* the name of a device of any kind */
	SELECTOR_ADDRESS,   /* the full address of a PCI function, lower case: its name, as no other kind has it */
	SELECTOR_ID,        /* "vendor:device", four hex digits each, lower case */
	SELECTOR_SUBSYSTEM, /* the same of the subsystem */
	SELECTOR_CLASS,     /* 2, 4 or 6 hex digits, matched as a prefix of the 6 digits; or a glob over all 6 */
	SELECTOR_DRIVER,    /* the name of the driver bound at the time; "" for none */
	SELECTOR_KIND,      /* enum device_kind's texts */
	SELECTOR_NUMA_NODE, /* decimal; a device whose node is unknown is on none */
	SELECTOR_PARENT,    /* the address of any bridge above it, however far */
	SELECTOR_POOL,      /* names of pools */
	SELECTOR_LIST_COUNT,
};
/* The key of a list in policy files. */
const char *selector_list_to_string(enum selector_list list);

/* Which devices: any of each list, all of those lists that are given. An empty selector matches nothing. */
struct device_selector {
	struct text_list list[SELECTOR_LIST_COUNT];
};
/* True if the selector gives this very name or address, in full. */
bool device_selector_names(const struct device_selector *selector, const char *device);

struct subject_selector {
	uid_t *uid;
	size_t uid_count;
	gid_t *gid;
	size_t gid_count;
	struct text_list unit; /* globs over the systemd unit's name; a subject whose unit is unknown has none */
	bool any;              /* true where the rule has no "subject": matches everybody */
};

enum rule_effect { RULE_ALLOW, RULE_DENY };
enum lockout_permission { LOCKOUT_NONE, LOCKOUT_UNUSED, LOCKOUT_NAMED };

struct rule {
	char name[RULE_NAME_MAX];
	char *file; /* where it stands, for messages */
	unsigned line, column;
	enum rule_effect effect;
	struct subject_selector subject;
	struct device_selector device;
	enum lockout_permission lockout;
	struct text_list lockout_named; /* full addresses, only with LOCKOUT_NAMED */
	uint32_t modes;                 /* bit (1 << enum delivery_mode) */
	uint32_t device_limit;          /* devices of one user under this rule; UINT32_MAX: no limit */
	uint32_t device_total_limit;    /* devices of all users together under this rule; UINT32_MAX: no limit */
	/* Of one claim, and only where brokered is the only mode; UINT64_MAX: no limit. */
	uint64_t ioasid_limit, byte_limit, pasid_limit;
	uint64_t memlock; /* bytes; 0: the client's limit is left alone */
	enum reset_demand reset;
	bool restore;                  /* put drivers back after; true by default */
	bool take_in_use;              /* "in_use": "take" */
	bool accept_unsafe_interrupts; /* "unsafe_interrupts": "accept" */
	uint64_t revoke_grace_usec;    /* how long the client gets to let go by itself; 30 s by default */
	enum revoke_stop revoke_stop;  /* what may be stopped after that; nothing by default */
};

struct never_entry {
	struct device_selector device;
	char why[TEXT_MAX];
	char *file;
	unsigned line;
};

struct reserve_entry {
	struct device_selector device;
	char *file;
	unsigned line, column;
};

struct pool {
	char name[RULE_NAME_MAX];
	struct device_selector *selector;
	size_t selector_count;
};

struct policy {
	struct rule *rule;
	size_t rule_count;
	struct never_entry *never;
	size_t never_count;
	struct reserve_entry *reserve;
	size_t reserve_count;
	struct pool *pool; /* sorted by name */
	size_t pool_count;
	uint32_t user_device_limit;        /* devices of one user under all rules together; UINT32_MAX: no limit */
	struct subject_selector operators; /* uid 0 is one always and is not listed; any is false */
	char **file;                       /* the files it was made of, in the order that they were read */
	size_t file_count;
	bool has_parents; /* some selector has SELECTOR_PARENT: its answers need the bridges in the topology */
	uint64_t digest; /* over the resolved rules: equal digests decide equally; a change detector, not a signature */
};

/* One policy file's text, owned by the caller. */
struct policy_source {
	const char *path;
	const char *text;
	size_t length;
};

/* How names become numbers; the core does not look them up itself. Return 0, or -ENOENT. */
struct name_resolver {
	int (*user)(void *context, const char *name, uid_t *uid);
	int (*group)(void *context, const char *name, gid_t *gid);
	void *context;
};

/* What is wrong or doubtful in a policy, and where. */
struct diagnostic {
	char *file;
	unsigned line;          /* from 1; 0: the whole file */
	unsigned column;        /* from 1, in bytes; 0: unknown */
	bool error;             /* false: a warning */
	char message[TEXT_MAX]; /* says what to do, too */
};
struct diagnostics {
	struct diagnostic *item;
	size_t count;
	size_t errors;
};
/* Appends; printf-like. Out of memory counts an error without an item. */
void diagnostics_add(struct diagnostics *diagnostics, bool error, const char *file, unsigned line, unsigned column,
		     const char *format, ...) __attribute__((format(printf, 6, 7)));
void diagnostics_done(struct diagnostics *diagnostics);

enum {
	POLICY_FILE_MAX = 1024 * 1024, /* bytes of one policy file */
	POLICY_DEPTH_MAX = 16,         /* nesting of JSON */
};

/* How long a client gets to let go of what is revoked: where a rule says nothing, and at most. */
#define REVOKE_GRACE_USEC (30 * UINT64_C(1000000))
#define REVOKE_GRACE_MAX_USEC (24 * 3600 * UINT64_C(1000000))

/*
 * Parses all sources together, in their order. On success returns 0 and a policy in *out, which the caller frees;
 * diagnostics may then hold warnings. -EINVAL: at least one error is in diagnostics, *out is untouched. -ENOMEM.
 * No sources at all is a valid policy that denies everything. All checks of a policy are made here, those of the set as
 * a whole too (lint.h): to only check files, call this and free the policy.
 */
int policy_parse(const struct policy_source *source, size_t count, const struct name_resolver *names,
		 struct diagnostics *diagnostics, struct policy **out);
struct policy *policy_free(struct policy *policy);

/* The pool of that name, or NULL. */
const struct pool *policy_pool(const struct policy *policy, const char *name);

/*
 * Here and below: the topology is where the bridges above a device are looked up. NULL, or a bridge that is not in it:
 * what is above that one is unknown, and matches no "parent".
 */
bool device_selector_matches(const struct policy *policy, const struct topology *topology,
			     const struct device_selector *selector, const struct device *device);
/* The same of a device that may be claimed: one on a VFIO driver can have had any driver before, so drivers don't
 * count. */
bool device_selector_matched_before(const struct policy *policy, const struct topology *topology,
				    const struct device_selector *selector, const struct device *device);
void device_selector_done(struct device_selector *selector);
bool subject_selector_matches(const struct subject_selector *selector, const struct subject *subject);
/* True if one of the pool's selectors matches. */
bool policy_pool_has(const struct policy *policy, const struct topology *topology, const struct pool *pool,
		     const struct device *device);
/* The entry of never that matches, or NULL. */
const struct never_entry *policy_never(const struct policy *policy, const struct topology *topology,
				       const struct device *device);
/* The rule of that name, allow or deny, or NULL. No two have the same. */
const struct rule *policy_find_rule(const struct policy *policy, const char *name);
/* The first rule that matches subject and device, allow or deny, or NULL. */
const struct rule *policy_rule_for(const struct policy *policy, const struct topology *topology,
				   const struct subject *subject, const struct device *device);
bool policy_is_operator(const struct policy *policy, const struct subject *subject);
/* True if the list has this very text, as it stands, without any glob. */
bool text_list_names(const struct text_list *list, const char *text);
