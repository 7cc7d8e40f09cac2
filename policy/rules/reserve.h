/*
 * The devices that a policy keeps ready: as udev rules that set driver_override before a driver binds, and as a check
 * of what came of it. Writes no file and moves no device.
 */
#pragma once

#include "../model/ledger.h"
#include "policy.h"

/*
 * Writes the text of a udev rules file that keeps the policy's reserved devices for vfio-pci, bridges never. It means
 * exactly the devices that the policy means: what udev has no words for (a driver, which is not bound yet; a parent by
 * a glob) is an error in diagnostics. No text of the policy gets into the file but in an alphabet that ends no string.
 * 0 with *out set (free() it; only comments where nothing is reserved); -EINVAL after errors; -ENOMEM.
 */
int reserve_to_udev(const struct policy *policy, struct diagnostics *diagnostics, char **out);
/* The errors that reserve_to_udev() would report, and nothing else. 0 or -ENOMEM. */
int reserve_check(const struct policy *policy, struct diagnostics *diagnostics);

/* Called for each reserved device that is not ready. message: one sentence, with what to do. */
typedef void (*reserve_report)(void *context, const struct device *device, const char *message);
/*
 * Looks whether the reserved devices are on a VFIO driver and stay there, those of claims aside (ledger NULL: there are
 * none). Returns how many are not ready.
 */
size_t reserve_verify(const struct policy *policy, const struct topology *topology, const struct ledger *ledger,
		      reserve_report report, void *context);
