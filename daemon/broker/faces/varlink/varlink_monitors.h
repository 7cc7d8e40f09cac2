/*
 * Those who watch: each call of Monitor is one, until its connection ends or the claim does that it is about. Tells
 * each of them the events that he may see; each event is written down once, however many get it.
 */
#pragma once

#include "socket_client.h"

enum {
	VARLINK_MONITORS_MAX = 256,         /* in all; uid 0's are not counted */
	VARLINK_MONITORS_RESERVED = 32,     /* of them, for operators */
	VARLINK_MONITORS_PER_USER_MAX = 16, /* of one uid; fewer as they get short: accounts.h */
};

struct varlink_monitors;

int varlink_monitors_new(struct arbiter *arbiter, struct varlink_monitors **out); /* 0, -ENOMEM */
struct varlink_monitors *varlink_monitors_free(struct varlink_monitors *monitors);
size_t varlink_monitors_count(const struct varlink_monitors *monitors);
/* How many were cut off, since the start, because they did not read. */
size_t varlink_monitors_cut_off(const struct varlink_monitors *monitors);

/*
 * Begins to tell the client, whose call takes more replies than one; claim: its id, if only that is watched, which the
 * client may see; NULL: everything. False: too many watch already.
 */
bool varlink_monitors_add(struct varlink_monitors *monitors, struct varlink_client *client, const char *claim);
/* The client is gone. */
void varlink_monitors_remove(struct varlink_monitors *monitors, struct varlink_client *client);
