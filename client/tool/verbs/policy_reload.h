/*
 * ioasidctl policy reload: has ioasidd read its policy files anew, and says what that changed. Decides nothing.
 */
#pragma once

struct session;

/* Returns an exit status. */
int policy_reload_run(struct session *session);
