#include "audit_log.h"

#include "../../policy/util/json_put.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The last of so many records are kept. */
enum { RECORDS_MAX = 4096 };

int audit_log_write(struct audit_log *log, const struct audit_record *record)
{
	struct audit_record *larger;

	if (log->error)
		return log->error;
	if (log->count == RECORDS_MAX) {
		memmove(log->record, log->record + 1, --log->count * sizeof(*log->record));
	} else {
		larger = reallocarray(log->record, log->count + 1, sizeof(*larger));
		if (!larger)
			return ENOMEM;
		log->record = larger;
	}
	log->record[log->count++] = *record;
	return 0;
}

static struct json_object *devices_to_json(const struct audit_record *record, uint32_t first, uint32_t count)
{
	struct json_object *list = json_object_new_array();
	bool whole = list != NULL;

	for (uint32_t i = 0; i < count && whole; i++)
		whole = json_append(list, json_object_new_string(record->device[first + i]));
	if (whole)
		return list;
	json_object_put(list);
	return NULL;
}

static struct json_object *record_to_json(const struct audit_record *record)
{
	struct json_object *object = json_object_new_object();

	if (object && json_put_text(object, "kind", record_kind_to_string((enum record_kind)record->kind)) &&
	    json_put_bool(object, "success", record->success) && json_put_number(object, "uid", record->uid) &&
	    json_put_number(object, "actor", record->actor) && json_put_number(object, "pid", record->pid) &&
	    json_put(object, "devices", devices_to_json(record, 0, record->device_count)) &&
	    json_put(object, "lockouts", devices_to_json(record, record->device_count, record->lockout_count)) &&
	    json_put_number(object, "left_out", record->left_out) && json_put_text(object, "claim", record->claim) &&
	    json_put_text(object, "rule", record->rule) && json_put_text(object, "unit", record->unit) &&
	    json_put_text(object, "text", record->text) && json_put_bool(object, "policy", record->policy_digest != 0))
		return object;
	json_object_put(object);
	return NULL;
}

struct json_object *audit_log_to_json(const struct audit_log *log)
{
	struct json_object *list = json_object_new_array();
	bool whole = list != NULL;

	for (size_t i = 0; i < log->count && whole; i++)
		whole = json_append(list, record_to_json(&log->record[i]));
	if (whole)
		return list;
	json_object_put(list);
	return NULL;
}

void audit_log_done(struct audit_log *log)
{
	free(log->record);
	*log = (struct audit_log){ .record = NULL };
}
