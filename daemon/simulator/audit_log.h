/*
 * The audit log of the simulated host: keeps what brokers have recorded, for tests to read, or says that it can't.
 */
#pragma once

#include "../../policy/model/audit_record.h"

#include <json-c/json.h>
#include <stddef.h>

struct audit_log {
	struct audit_record *record;
	size_t count;
	int error; /* what recording says from now on; 0: it is kept */
};

/* 0, or a positive errno: it is not kept. */
int audit_log_write(struct audit_log *log, const struct audit_record *record);
/* All records, the oldest first; whole as json_write.h says. */
struct json_object *audit_log_to_json(const struct audit_log *log);
void audit_log_done(struct audit_log *log);
