/* ioasidctl graph: the groups, who owns what, and what a claim would take, for graphviz. */
#pragma once

#include "../core/verb.h"

extern const struct verb verb_graph;
