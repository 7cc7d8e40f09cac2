/*
 * The stopper: ends one process or one systemd unit and says when it is gone. Started for one stop, once the main
 * process has found that it may be done; it asks nobody whether it should. Needs CAP_KILL for a process; for a unit it
 * asks the service manager, which takes that from root.
 */
#pragma once

/* Serves on the socket to the main process: one stop. Returns the exit status of the process. */
int stopper_main(int socket);
