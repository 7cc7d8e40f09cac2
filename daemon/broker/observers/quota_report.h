/*
 * How much of what rules limit is used: of each rule that limits something, or that somebody has devices by, how many
 * devices all users together have by it, and how many that user has who has the most. Names no user.
 */
#pragma once

#include "openmetrics.h"
#include "../core/registry.h"

/* operator: rules by their names, at most QUOTA_RULES_MAX; else only what all rules together limit. */
enum { QUOTA_RULES_MAX = 256 };
void quota_report(struct openmetrics *out, const struct registry *registry, bool operator);
