/*
 * What a daemon would answer, worked out here from a snapshot (--snapshot) and the policy that --policy names, by the
 * same core: ListDevices, ListGroups, ListClaims (there are none) and Plan. Asks nobody and changes nothing.
 */
#pragma once

struct session;
struct offline;
struct policy;
struct topology;

/*
 * Reads the snapshot of the command line; from then on the session is answered by it. EXIT_DONE, or EXIT_FAILED, which
 * was told.
 */
int offline_begin(struct session *session);
struct offline *offline_free(struct offline *offline);

/* The devices of the snapshot. */
const struct topology *offline_topology(const struct offline *offline);
/*
 * The policy of the command line, read when it is first asked for. EXIT_DONE, or EXIT_FAILED after everything that is
 * wrong with it was told. It stays the offline's.
 */
int offline_policy(struct session *session, const struct policy **out);
