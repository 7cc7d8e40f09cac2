/*
 * What a test may say to a simulated host while it runs, one JSON object a line with one key:
 *
 *   {"add": Device}                       plugs a device in
 *   {"remove": "ADDRESS"}                 unplugs it; what is open keeps it until it is closed
 *   {"use": Use}                          the host uses a device from now on
 *   {"clear_uses": "ADDRESS"}             no more
 *   {"bind": {"device", "driver"}}        as root at a shell does it: writes to the driver's bind,
 *   {"unbind": "ADDRESS"}                 to the device's driver's unbind,
 *   {"override": {"device", "driver"}}    to driver_override (null clears it)
 *   {"open_node": {"device", "uid", "group"}}
 *       a program of that user opens the device by its path: by its cdev, or, where there is none or group is true, by
 *       container and group. Refused unless the nodes' ACLs let it. "pid": of the process, which holds it until killed
 *   {"unit": {"pid", "unit"}}             the process runs in that systemd unit. Without any there is no service
 * manager
 *   {"audit_log": true}                   "records": what was recorded so far, the oldest first
 *   {"audit_log": {"errno": N}}           recording says so from now on, and keeps nothing; 0: it does again
 *   {"fail": {"step", "device", "undo", "after", "times", "errno"}}
 *   {"hang": {"step", "device", "undo", "after", "times"}}
 *   {"kill": {"step", "device", "undo", "after", "times"}}
 *       the matching steps of plans fail, hang before they do anything, or find that the worker has ended, which undoes
 *       nothing. All keys may be left out. step: a step's name, or "result" for the moment before a result is sent,
 * where whatever does not hang ends the worker; without it any, done or undone. undo: when the step is undone instead
 * of done. after: so many are let through first. times: so many are struck (all). errno: a number or a name ("EIO")
 *   {"unhang": true}                      lets go on what hangs; nothing more will
 *   {"clear_faults": true}                nothing more will fail or hang
 *   {"await": {"hung": N}}                answered once at least N plans hang,
 *   {"await": {"plans": N}}               or once at most N plans are under way
 *   {"state": true}                       "host": the host as a host file; "open": by device, how many of its files are
 *                                         "open" and "bound"; "groups": by number of those that are open, how many
 *                                         devices were opened by it; "acls": by device ("": the container), who may
 *                                         open its nodes; "contexts"; "unmapped": how many times one was emptied;
 *                                         "plans"; "hung"
 *   {"attach": {"policy_dirs": […]}}      with an FD: a broker's wire, which is served from now on; the end of either
 *                                         connection ends the other
 *   {"stop": true}                        ends the simulator
 *
 * Answered with {"ok": true, …} or {"error": "…"}. Knows nothing of sockets: what it can't do itself it notes.
 */
#pragma once

#include "run.h"

#include "../../policy/util/json_text.h"

struct command_call {
	struct machine *machine;
	struct runs *runs;
	struct faults *faults;
	struct json_object *answer; /* an object to which members may be added */
	struct json_problem problem;
	/* Noted for the caller. */
	bool awaits; /* answer when: */
	size_t hung_at_least;
	size_t plans_at_most; /* SIZE_MAX: any number */
	bool attach;
	char **folder; /* of attach: owned by the caller then, as is each of them */
	size_t folder_count;
	bool stop;
};

/* 0; -EINVAL with call->problem filled; -ENOMEM. */
int command_run(struct command_call *call, const char *text, size_t length);
