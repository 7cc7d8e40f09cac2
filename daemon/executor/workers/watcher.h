/*
 * The watcher: tells all PCI devices, then every change of them. An event only says where to look: what is told is
 * always read from sysfs, after the event.
 */
#pragma once

/*
 * Serves on the socket to the main process until that closes it. Returns the exit status of the process.
 */
int watcher_main(int socket);
