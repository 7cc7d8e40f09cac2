/*
 * The recorder: writes records into the kernel's audit log. Needs CAP_AUDIT_WRITE and nothing else, and says nothing
 * that could pass for another field of a record: what comes from outside is encoded as the audit system does it.
 */
#pragma once

#include "../../base/wire.h"

enum { AUDIT_TEXT_MAX = 8192 };

/*
 * The text of an audit record: "op=grant id=1000 device="0000:01:00.0" …", and its type, of libaudit's. False: out of
 * memory. Devices that have no place are counted.
 */
bool audit_writer_compose(const struct wire_record *record, int *type, char text[static AUDIT_TEXT_MAX]);

/* Serves on the socket to the main process until that closes it. Returns the exit status of the process. */
int audit_writer_main(int socket);
