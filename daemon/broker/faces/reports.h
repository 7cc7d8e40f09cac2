/*
 * The reports of org.ioasid1: what GetStatus and the List methods return, but ListDevices. Of groups it says what was
 * looked at before. Reads the arbiter's books, changes nothing.
 */
#pragma once

#include "../arbiter/arbiter.h"

#include <json-c/json.h>

/* Each returns the reply's parameters, owned by the caller. */
/* reader: NULL for a signal, which everybody hears. */
struct json_object *varlink_status(const struct arbiter *arbiter, const struct requester *reader);
struct json_object *varlink_group_list(const struct arbiter *arbiter, const struct requester *reader);
struct json_object *varlink_policy_report(const struct arbiter *arbiter, const struct requester *reader);
struct json_object *varlink_claim_list(const struct arbiter *arbiter, const struct requester *reader);
