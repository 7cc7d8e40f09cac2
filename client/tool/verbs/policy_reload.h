/*
 * ioasidctl policy reload: makes ioasidd read its policy files again, and shows what changed. Decides nothing.
 */
#pragma once

struct session;

/* Returns an exit status. */
int policy_reload_run(struct session *session);
