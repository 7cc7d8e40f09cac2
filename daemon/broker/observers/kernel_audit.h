/*
 * What happens, written down in the kernel's audit log: who was given devices and who was refused them, what became of
 * them, what operators did, and which policy was loaded. The executor does the writing. A record of something that goes
 * on for a while is opened when it begins, and says failure unless it was committed as a success. Listens to the news;
 * never waits.
 */
#pragma once

#include "../arbiter/arbiter.h"

struct kernel_audit;

/* What became of records, since the start. */
struct audit_counts {
	uint64_t written;
	uint64_t unsupported; /* this kernel keeps no audit log */
	uint64_t failed;
	uint64_t left_out; /* refusals of users who had too many */
};

int kernel_audit_new(struct arbiter *arbiter, struct kernel_audit **out); /* 0, -ENOMEM */
struct kernel_audit *kernel_audit_free(struct kernel_audit *trail);
struct audit_counts kernel_audit_count(const struct kernel_audit *trail);
