/*
 * What all of the guest's programs share: dying with a message, reading numbers, the clock.
 * None of it is the product's: these programs play the world around it.
 */
#pragma once

#include <stdint.h>

/* Prints "NAME: message" to stderr and ends the process with status 1. */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* As die(), with the meaning of errno behind the message. */
void die_errno(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* The number that is all of TEXT, from 0 to MAX; dies and names WHAT if it is none. */
unsigned long number_of(const char *what, const char *text, unsigned long max);

/* CLOCK_MONOTONIC in microseconds. */
uint64_t now_us(void);
