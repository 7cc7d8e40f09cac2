/*
 * Draws a host for graphviz, in the DOT language: a cluster for each IOMMU group with its members, edges from bridges
 * to what is behind them and from virtual functions to their physical one; who has what; and what a claim would take.
 * Says everything in words and shapes too: colours only help. Asks nobody.
 */
#pragma once

#include "graph_view.h"

#include <stdio.h>

/* Writes the graph. What the view is made of may be anything: it is escaped. 0, -ENOMEM. */
int graph_write(const struct graph_view *view, FILE *stream);
