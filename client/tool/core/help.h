/*
 * What ioasidctl says of itself: made from the tables of verbs and options, so that it can't leave one out.
 */
#pragma once

#include "verb.h"

#include <stdio.h>

void help_write_all(FILE *stream, const struct verb *const *verbs);
void help_write_verb(FILE *stream, const struct verb *verb);
