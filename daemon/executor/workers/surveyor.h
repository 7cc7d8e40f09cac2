/*
 * The surveyor: answers surveys and audits. Reads /sys and /proc, opens disks to ask whether they are in use, and
 * changes nothing.
 */
#pragma once

/* Serves on the socket to the main process until that closes it. Returns the exit status of the process. */
int surveyor_main(int socket);
