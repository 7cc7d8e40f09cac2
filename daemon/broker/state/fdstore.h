/*
 * What outlives this process: file descriptors that the service manager (systemd) keeps for it. For each claim the peer
 * end of its lease and a copy of its context, never a device's: a copy that is forgotten there would keep the device
 * alive. Without a service manager nothing is kept, and every function says so quietly.
 *
 * Source: sd_notify(3) (FDSTORE, FDNAME, FDPOLL, BARRIER), sd_listen_fds(3).
 */
#pragma once

#include "../../../policy/model/ledger.h"

#include <stdbool.h>
#include <systemd/sd-event.h>

struct fdstore;

/* What can be kept of a claim. The names in the manager are "lease-ID" and "context-ID": they may have no colon. */
enum stored { STORED_LEASE, STORED_CONTEXT, STORED_COUNT };
typedef bool (*fdstore_fits)(int fd, const struct claim *claim);

/*
 * Takes over everything that the manager passed to this process, and leaves nothing of it in the environment. To be
 * called once, before any FD is opened. 0, -ENOMEM, -errno.
 */
int fdstore_new(struct fdstore **out);
/* Closes what nobody took; the manager keeps it. */
struct fdstore *fdstore_free(struct fdstore *store);
/* The loop for fdstore_drop(). 0. */
void fdstore_set_event(struct fdstore *store, sd_event *event);

/* The listening socket of that name that was passed (a socket unit's FileDescriptorName=), or -1. The caller's from
 * then on. */
int fdstore_take_listener(struct fdstore *store, const char *name);
/*
 * What was kept of a claim, or -1. The caller's from then on; the manager keeps its copy. fits: false for what can't be
 * what its name says, which is logged and closed; the next of that name is looked at.
 */
int fdstore_take(struct fdstore *store, enum stored what, const struct claim *claim, fdstore_fits fits);
/* Has the manager forget whatever was passed and not taken: nobody knows what it is, or it does not fit. Returns how
 * many those were. */
size_t fdstore_forget_rest(struct fdstore *store);

/* True if there is a manager that keeps descriptors. */
bool fdstore_is_there(const struct fdstore *store);
/* True if there is a manager, and it took what it was last given. */
bool fdstore_works(const struct fdstore *store);
/* Has the manager keep a copy; the FD stays the caller's. 0; -errno: it is not kept. */
int fdstore_put(struct fdstore *store, enum stored what, const char *claim_id, int fd);

struct fdstore_drop;
/*
 * Has the manager close what it keeps of a claim, and calls done once it has, from the loop; or before this returns
 * where there is nothing to wait for. The manager may take its time: after five seconds it is waited for no longer.
 * *drop is set while it is waited for and NULL else; fdstore_drop_cancel() of it: nobody is told.
 */
void fdstore_drop(struct fdstore *store, const char *claim_id, void (*done)(void *context), void *context,
		  struct fdstore_drop **drop);
void fdstore_drop_cancel(struct fdstore_drop *drop);
