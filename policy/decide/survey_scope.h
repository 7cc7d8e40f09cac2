/*
 * Which devices have to be looked at before a request can be decided: those it names, with the members of their groups.
 */
#pragma once

#include "../model/topology.h"

/*
 * The names, each once, which are the topology's own; device may name what is unknown, which is left out. out has room
 * for GROUP_MEMBERS_MAX. Returns how many were written, or -E2BIG: they don't fit.
 */
int survey_scope(const struct topology *topology, const char *const *device, size_t count, const char **out);
