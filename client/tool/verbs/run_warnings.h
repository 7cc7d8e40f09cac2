/*
 * What a command is told before it runs, as it would fail of it later without a reason: too little memory that it may
 * lock, and no huge pages. Raises the limit as far as that goes; changes nothing else.
 */
#pragma once

struct ioasid_claim;
struct session;

void run_warnings_give(struct session *session, const struct ioasid_claim *claim);
