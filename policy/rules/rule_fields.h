/*
 * The one table of what a rule of a policy can say. Reading, digest and report each expand it to a function of their
 * own for every row, so a row that one of them forgets does not compile; tests/unit/schema_test.py compares it with
 * policy.schema.json. The order is that of the report, and of the keys in messages.
 */
#pragma once

/*
 * X(key, required, allowing)
 * allowing: the key says how a device is given, so a rule that denies can't have it.
 */
#define RULE_FIELDS(X) \
	X(name, true, false) \
	X(effect, true, false) \
	X(subject, false, false) \
	X(device, true, false) \
	X(modes, false, true) \
	X(lockout, false, true) \
	X(reset, false, true) \
	X(restore, false, true) \
	X(in_use, false, true) \
	X(unsafe_interrupts, false, true) \
	X(limits, false, true) \
	X(revoke, false, true)

/*
 * X(key, type, counted, member, unset), the keys of "limits".
 * counted: only where the broker makes the mappings itself can it count them. unset: where a rule gives none.
 */
#define RULE_LIMITS(X) \
	X(devices, DEVICES, false, device_limit, UINT32_MAX) \
	X(devices_total, DEVICES, false, device_total_limit, UINT32_MAX) \
	X(memlock, SIZE, false, memlock, 0) \
	X(ioasids, COUNT, true, ioasid_limit, UINT64_MAX) \
	X(bytes, SIZE, true, byte_limit, UINT64_MAX) \
	X(pasids, COUNT, true, pasid_limit, UINT64_MAX)

/* X(key, member), the keys of "revoke". */
#define RULE_REVOKE(X) \
	X(grace, revoke_grace_usec) \
	X(stop, revoke_stop)
