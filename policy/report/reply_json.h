/*
 * How org.ioasid1 writes things down: each function makes the JSON object of one type of org.ioasid1.varlink, owned by
 * the caller. Field names and values are those of the interface file. Decides nothing: whether somebody may see a
 * claim's owner is told by the caller.
 */
#pragma once

#include "../decide/availability.h"
#include "../decide/decide.h"
#include "../model/held_nodes.h"
#include "../decide/regrant.h"

#include <json-c/json.h>

/*
 * owner: the claim that has the device, or NULL; entry: its entry there. see: the reader may know the claim's id.
 * outlook: NULL: what the host does with it was not looked at.
 */
struct json_object *reply_json_device(const struct device *device, const struct claim *owner,
				      const struct claim_device *entry, bool see, const struct outlook *outlook);
struct json_object *reply_json_group(int32_t number, const struct device *const *member, size_t count,
				     const struct claim *owner, const struct outlook *outlook);
/* All groups, sorted by number. ledger: NULL where there are no claims. */
struct json_object *reply_json_groups(const struct topology *topology, const struct ledger *ledger,
				      const struct outlook *outlook);
/* The interface that claims come through on this kernel, or null. */
struct json_object *reply_json_interface(const struct kernel_features *kernel);
struct json_object *reply_json_claim(const struct claim *claim);
struct json_object *reply_json_lockouts(const struct decision *decision);
struct json_object *reply_json_blockers(const struct decision *decision);
struct json_object *reply_json_plan(const struct decision *decision, const struct uses *uses,
				    const struct topology *topology, const struct kernel_features *kernel,
				    enum delivery_mode mode);
/* The policy's files, number of rules, and digest. */
struct json_object *reply_json_policy(const struct policy *policy);
struct json_object *reply_json_diagnostics(const struct diagnostics *diagnostics);
struct json_object *reply_json_regrants(const struct regrants *regrants);
/* With what to do about it, unless it came from a claim. */
struct json_object *reply_json_hold(const struct hold *hold, const struct hold_origin *origin);
/* granted: a claim gave it to everybody who can open it. */
struct json_object *reply_json_open_node(const struct node_access *access, bool granted);
