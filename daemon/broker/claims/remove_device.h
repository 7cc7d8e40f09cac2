/*
 * Giving one device of a claim back, while the claim goes on: because its owner asks for it, or because an addition was never
 * acknowledged.
 */
#pragma once

#include "claim_runtime.h"

/* Begins to give one asked-for device back. The holding's asker is answered. 0, or -errno: nothing was begun. */
int removing_start(struct holding *holding, const char *device);
/*
 * Begins to give back the device that an earlier run was at work on, if it was at any: one that it added, and nobody
 * acknowledged, as soon as nobody has it any more; the claim goes on.
 */
void removing_resume(struct holding *holding);
/*
 * True if just this device is being taken back after a restart, and waits for somebody to let go of it: then it is tried at
 * once, and the requester is answered.
 */
bool removing_hasten(struct holding *holding, const char *device, struct requester *requester);
