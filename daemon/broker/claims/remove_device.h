/*
 * Giving one device of a claim back, while the claim goes on: because its owner asks for it, or because an addition was
 * never acknowledged.
 */
#pragma once

#include "claim_runtime.h"

/* Begins to give one asked-for device back. The claim's runtime's asker is answered. 0, or -errno: nothing was begun.
 */
int remove_device_start(struct claim_runtime *runtime, const char *device);
/*
 * Begins to give back the device that an earlier run was at work on, if it was at any: one that it added, and nobody
 * acknowledged, as soon as nobody has it any more; the claim goes on.
 */
void remove_device_resume(struct claim_runtime *runtime);
/*
 * True if just this device is being taken back after a restart, and waits for its holder to let go: then it is
 * tried at once, and the requester is answered.
 */
bool remove_device_hasten(struct claim_runtime *runtime, const char *device, struct requester *requester);
