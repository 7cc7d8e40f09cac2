/*
 * ioasidctl policy: checks policy files, shows the rules in force, and reloads them. Decides nothing.
 */
#pragma once

#include "../core/verb.h"

extern const struct verb verb_policy;
