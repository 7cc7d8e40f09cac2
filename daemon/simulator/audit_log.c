#include "audit_log.h"

#include "../../policy/util/json_write.h"

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
	struct json_object *list = json_make_array();

	for (uint32_t i = 0; i < count; i++)
		json_add(list, json_make_string(record->device[first + i]));
	return list;
}

static struct json_object *record_to_json(const struct audit_record *record)
{
	struct json_object *object = json_make_object();

	json_set(object, "kind", json_make_string_or_null(record_kind_to_string((enum record_kind)record->kind)));
	json_set(object, "success", json_make_truth(record->success));
	json_set(object, "uid", json_make_number_or_null(record->uid));
	json_set(object, "actor", json_make_number_or_null(record->actor));
	json_set(object, "pid", json_make_number_or_null(record->pid));
	json_set(object, "devices", devices_to_json(record, 0, record->device_count));
	json_set(object, "lockouts", devices_to_json(record, record->device_count, record->lockout_count));
	json_set(object, "left_out", json_make_number_or_null(record->left_out));
	json_set(object, "claim", json_make_string_or_null(record->claim));
	json_set(object, "rule", json_make_string_or_null(record->rule));
	json_set(object, "unit", json_make_string_or_null(record->unit));
	json_set(object, "text", json_make_string_or_null(record->text));
	json_set(object, "policy", json_make_truth(record->policy_digest != 0));
	return object;
}

struct json_object *audit_log_to_json(const struct audit_log *log)
{
	struct json_object *list = json_make_array();

	for (size_t i = 0; i < log->count; i++)
		json_add(list, record_to_json(&log->record[i]));
	return list;
}

void audit_log_done(struct audit_log *log)
{
	free(log->record);
	*log = (struct audit_log){ .record = NULL };
}
