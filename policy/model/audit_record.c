#include "audit_record.h"

#include "../util/text.h"

#include <string.h>

void audit_record_begin(struct audit_record *record, enum record_kind kind, uid_t uid, pid_t pid, const char *unit)
{
	memset(record, 0, sizeof *record);
	record->kind = kind;
	record->uid = record->actor = uid;
	record->pid = pid;
	text_format(record->unit, sizeof record->unit, "%s", unit ? unit : "");
}

void audit_record_add_device(struct audit_record *record, const char *device, bool lockout)
{
	uint32_t count = record->device_count + record->lockout_count;
	uint32_t at = lockout ? count : record->device_count;

	if (count == AUDIT_RECORD_DEVICES_MAX) {
		record->left_out++;
		return;
	}
	memmove(record->device[at + 1], record->device[at], (count - at) * sizeof *record->device);
	memset(record->device[at], 0, sizeof *record->device);
	text_format(record->device[at], sizeof *record->device, "%s", device);
	if (lockout)
		record->lockout_count++;
	else
		record->device_count++;
}

void audit_record_commit(struct audit_record *record)
{
	record->success = 1;
}

bool audit_record_is_sane(const struct audit_record *record)
{
	if (record->kind >= RECORD_KIND_COUNT || record->success > 1 || record->pid < 0 ||
	    record->device_count > AUDIT_RECORD_DEVICES_MAX ||
	    record->lockout_count > AUDIT_RECORD_DEVICES_MAX - record->device_count ||
	    !text_is_printable(record->claim, sizeof record->claim) ||
	    !text_is_printable(record->rule, sizeof record->rule) ||
	    !text_is_printable(record->unit, sizeof record->unit) ||
	    !text_is_printable(record->text, sizeof record->text))
		return false;
	for (uint32_t i = 0; i < record->device_count + record->lockout_count; i++)
		if (!text_is_printable(record->device[i], sizeof record->device[i]) || !record->device[i][0])
			return false;
	return true;
}
