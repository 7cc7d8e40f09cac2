/*
 * What a run of the contract leaves: TAP lines on standard output, and a transcript in which every outcome and errno
 * stands without anything that differs between machines. Two sides that keep the contract write the same transcript.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* path: of a file for the transcript; NULL: none is written. */
void report_start(const char *path);
/* Begins a case; ends the one before. */
void report_case(const char *name);
/* A line of the transcript, indented below its case. */
void report_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Fails the case unless it holds; the format says what should have been. Returns whether it holds. */
bool report_check(bool holds, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Ends the last case; compares the transcript with this one as a case of its own. Returns how many failed. */
int report_finish(const char *expected);

/* What every side has to leave: expected.transcript, and expected-group.transcript without iommufd, built in. */
extern const char expected_transcript[];
extern const char expected_group_transcript[];
