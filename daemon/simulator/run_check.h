/*
 * What a binder looks at before it touches anything: whether a claim's plan was made under the policy that is in force
 * here, for devices that are as they were then, and whether that policy covers it. Changes nothing.
 */
#pragma once

#include "plan_run.h"

/* False with one sentence in why. */
bool run_is_allowed(const struct run *run, char why[static TEXT_MAX]);
