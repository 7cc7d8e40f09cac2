/*
 * ioasidctl policy check: reads policy files as ioasidd would and says what is wrong or doubtful in them. Asks no
 * daemon and puts nothing in force.
 */
#pragma once

struct diagnostics;
struct session;

/* The arguments behind the first are the files and folders; none: those of this machine. Returns an exit status. */
int policy_check_run(struct session *session);
