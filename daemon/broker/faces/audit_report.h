/*
 * What an audit found, in the words of org.ioasid1.varlink, with what to do about each finding. Decides nothing.
 */
#pragma once

#include "../arbiter/take_audit.h"

#include <json-c/json.h>

/* The reply's parameters, owned by the caller. */
struct json_object *audit_to_json(const struct audit *audit);
