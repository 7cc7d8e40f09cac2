/*
 * What doctor makes of the facts: for each check whether it is in order, and what to do if it is not. Pure: reads no
 * file and asks nobody.
 */
#pragma once

#include "../../../include/words.h"
#include "findings.h"
#include "host_facts.h"
#include "memlock.h"

#include <stdint.h>

/* What is known of the daemon. */
struct daemon_facts {
	const char *unreachable; /* why it can't be asked, for people; NULL: it answered */
	const char *socket;      /* where */
	const char *version;
	const char *interface; /* "iommufd", "group"; NULL: none */
	const char *release;   /* of the kernel that it works on */
	int64_t rules;
	const char *policy_refused; /* what the daemon says of policy files that it refused; NULL: it refused none */
	const char *policy_error;   /* the first error of them, with its place; NULL: this user is not told */
	bool policy_denies_all;     /* nothing is in force instead of them */
};

/* The interface that follows from the facts: "iommufd", "group", or NULL. */
const char *doctor_interface(const struct host_facts *host);
/* Adds a finding for each check of the host; true if claims can be delivered on it. */
bool doctor_check_host(const struct host_facts *host, struct findings *findings);
/* Adds what is found of the daemon; true if it can deliver claims. */
bool doctor_check_daemon(const struct daemon_facts *daemon, const struct host_facts *host, struct findings *findings);
/* Adds what is found of the caller: what its programs may lock, and huge pages. Nothing of it stops a claim. */
void doctor_check_caller(const struct memlock *memlock, const struct host_facts *host, struct findings *findings);
