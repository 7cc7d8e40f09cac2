/*
 * libioasid: ask ioasidd for devices and get file descriptors that are ready for use.
 *
 *	struct ioasid *connection;
 *	struct ioasid_claim *claim;
 *	const char *device = "0000:01:00.0";
 *
 *	if (ioasid_connect(NULL, &connection) < 0 ||
 *	    ioasid_claim(connection, &device, 1, NULL, &claim) < 0)
 *		errx(1, "%s", ioasid_error_message(connection));
 *	... ioctl(ioasid_claim_iommufd(claim), IOMMU_IOAS_MAP, ...) with ioasid_claim_ioas_id(claim)
 *	... mmap(ioasid_claim_device_fd(claim, device), ...)
 *	ioasid_claim_release(claim);
 *	ioasid_disconnect(connection);
 *
 * Where the kernel has no iommufd, ioasid_claim_interface() is "group", and memory is mapped with VFIO_IOMMU_MAP_DMA on
 * ioasid_claim_container() instead; the devices are used the same.
 *
 * Every function that can fail returns 0 or a negative errno; ioasid_error_*() then tell what the daemon said. Outputs
 * are untouched on failure. A connection and its claims belong to one thread at a time. Strings are UTF-8.
 */
#ifndef IOASID_H
#define IOASID_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The default socket of the daemon. */
#define IOASID_SOCKET_PATH "/run/ioasidd/org.ioasid1"

/* A connection to ioasidd. */
struct ioasid;
/* The right to some devices in one context, as long as its lease FD is open somewhere. */
struct ioasid_claim;

/* Why a call failed, in the same numbers as ioasidctl's exit statuses. */
enum ioasid_status {
	IOASID_DONE = 0,
	IOASID_FAILED = 1,
	IOASID_REFUSED = 3,     /* by policy; the message names the rule, or says that only operators may */
	IOASID_BUSY = 4,        /* in use by the host or claimed by another */
	IOASID_UNKNOWN = 5,     /* no such device or claim */
	IOASID_UNSUPPORTED = 6, /* not supported by this kernel or hardware */
	IOASID_UNREACHABLE = 7, /* no daemon at that socket, or it went away */
};

/*
 * Connects to the daemon's socket at path (NULL: IOASID_SOCKET_PATH). If the daemon is not running, this returns an
 * error but sets *connection all the same, for ioasid_error_message(); disconnect it. -ENOMEM sets nothing.
 * Errors: -ENOENT, -ECONNREFUSED: no daemon listens there; -EACCES: the socket's mode denies access to this user;
 * -ENAMETOOLONG.
 */
int ioasid_connect(const char *path, struct ioasid **connection);
/*
 * Closes the connection. Claims continue as long as their lease FDs are open. NULL is allowed. Returns NULL. A
 * connection that broke because the daemon was restarted need not be closed: the next call reconnects.
 */
struct ioasid *ioasid_disconnect(struct ioasid *connection);

/* The last failed call's status, one of enum ioasid_status; IOASID_DONE if none failed. */
int ioasid_error_status(const struct ioasid *connection);
/* One or more lines for people: what failed, why, and what to do. Never NULL. Valid until the next call. */
const char *ioasid_error_message(const struct ioasid *connection);
/* The Varlink error's name, "org.ioasid1.Busy"; "" where the failure was not the daemon's. Valid until the next call.
 */
const char *ioasid_error_name(const struct ioasid *connection);
/* The Varlink error's parameters as JSON text; "{}" where there are none. Valid until the next call. */
const char *ioasid_error_parameters(const struct ioasid *connection);

/*
 * Calls any method of org.ioasid1 or org.varlink.service that hands out no FDs. method: full name,
 * "org.ioasid1.ListDevices". parameters: JSON object, NULL for none. *reply: the reply's parameters as JSON text, which
 * the caller frees with free(); may be NULL.
 * Errors: -EINVAL: parameters are no JSON object; -EREMOTEIO: the daemon answered with an error (see ioasid_error_*);
 * -EPROTO: its answer was malformed, or carried FDs; -ECONNRESET: it went away; -ENOMEM.
 */
int ioasid_call(struct ioasid *connection, const char *method, const char *parameters, char **reply);

/*
 * Asks what a claim of these devices would cost, without changing anything. mode: "attached", "open" or "node"; NULL
 * for "attached". *plan: JSON text of the type Plan of org.ioasid1.varlink, which the caller frees with free(). A
 * refusal is an answer (0), not an error. Errors: as ioasid_call().
 */
int ioasid_plan(struct ioasid *connection, const char *const *devices, size_t count, const char *mode, char **plan);

/*
 * Claims devices, receives their FDs and acknowledges them. mode: as for ioasid_plan(); a claim in another mode than
 * was asked for is refused by this library. A claim whose FDs could not be received (-EMFILE: this process is at its
 * limit of open FDs) is rejected, so that it is rolled back by the daemon. All FDs are close-on-exec. *claim is freed
 * by ioasid_claim_release() or ioasid_claim_free(). The connection may be closed before the claim. Errors: as
 * ioasid_call(); ioasid_error_status() distinguishes refused (3), busy (4), unknown (5), unsupported (6).
 */
int ioasid_claim(struct ioasid *connection, const char *const *devices, size_t count, const char *mode,
		 struct ioasid_claim **claim);
/*
 * The same, with something else than a descriptor that keeps the claim alive. lease: "descriptor" or NULL, as above;
 * "process": this process, for as long as it runs, whatever it executes; "unit": the systemd unit of that name, or this
 * process's own where unit is NULL; "operator": nothing; it continues until it is released or revoked. Another unit
 * than one's own and "operator" are for operators. ioasid_claim_lease_fd() is -1 then, but for the first: freeing the
 * claim here does not end it. Errors: as ioasid_claim(); -EREMOTEIO also where the kernel or the host can't tell that
 * the process or unit ends.
 */
int ioasid_claim_leased(struct ioasid *connection, const char *const *devices, size_t count, const char *mode,
			const char *lease, const char *unit, struct ioasid_claim **claim);
/* The claim's id, for release by others and in messages. Lives as long as the claim. */
const char *ioasid_claim_id(const struct ioasid_claim *claim);
/* The reply of Claim as JSON text, with FD numbers as this process has them. Lives as long as the claim. */
const char *ioasid_claim_json(const struct ioasid_claim *claim);
/* The mode of delivery that was granted, "attached". Lives as long as the claim. */
const char *ioasid_claim_mode(const struct ioasid_claim *claim);
/* What the devices come through: "iommufd", or "group" where the kernel has none. Lives as long as the claim. */
const char *ioasid_claim_interface(const struct ioasid_claim *claim);
/*
 * The iommufd, -1 where there is none: with the interface "iommufd" each mode gives it. Owned by the claim: don't close
 * it, dup it.
 */
int ioasid_claim_iommufd(const struct ioasid_claim *claim);
/*
 * The VFIO container (type1v2, VFIO_IOMMU_MAP_DMA of <linux/vfio.h>), which all groups of the claim are in; -1 where
 * the interface is not "group" or the mode is not "attached". Owned by the claim.
 */
int ioasid_claim_container(const struct ioasid_claim *claim);
/*
 * The FD of a device's IOMMU group, the same for all devices of one group; -1 where the interface is not "group", the
 * mode is not "attached", or the claim has the device not. Owned by the claim, which closes it with the group's last
 * device.
 */
int ioasid_claim_group_fd(const struct ioasid_claim *claim, const char *device);
/*
 * In mode "node": the path of the index'th node of a device that this user may open now ("/dev/vfio/12"). NULL past the
 * last, or if the claim has the device not. Valid until the claim changes.
 */
const char *ioasid_claim_node(const struct ioasid_claim *claim, const char *device, size_t index);
/* The IOAS that the devices are attached to; 0 where there is none: in the other modes, and with "group". */
uint32_t ioasid_claim_ioas_id(const struct ioasid_claim *claim);
/* The lease FD: the claim lasts until its last copy is closed; -1 if another kind of lease keeps it. Owned by the
 * claim. */
int ioasid_claim_lease_fd(const struct ioasid_claim *claim);
/*
 * Checks, without waiting, whether an operator revokes the claim. Returns 1 if so: *grace: the time to release it, in
 * milliseconds from the request; *reason: the reason, "" if none was given, valid as long as the claim; both may be
 * NULL. Release the claim within that time; then the devices are taken away. 0: not revoked. -ENODATA: the daemon
 * closed the lease: the claim ended, or the daemon was stopped (see ioasid_claim_resume()). -EBADF: its lease is not a
 * descriptor; other errors of recv(). Call this when poll() of the lease FD shows POLLIN. If several processes have the
 * lease, only one reads the request.
 */
int ioasid_claim_asked_back(struct ioasid_claim *claim, int64_t *grace, const char **reason);
/* How many devices the claim has, and the name of each (NULL past the end; valid until the claim changes). */
size_t ioasid_claim_device_count(const struct ioasid_claim *claim);
const char *ioasid_claim_device(const struct ioasid_claim *claim, size_t index);
/*
 * A device's FD, -1 if the claim has it not, in mode "node", and after an ioasid_claim_remove() that was refused. Owned
 * by the claim.
 */
int ioasid_claim_device_fd(const struct ioasid_claim *claim, const char *device);

/*
 * Adds a device to a claim that is held, in the same context and IOAS. With the interface "group", a device whose group
 * the claim has open already is opened by this library (VFIO_GROUP_GET_DEVICE_FD of <linux/vfio.h>): the kernel lets a
 * group be opened once. Errors: as ioasid_claim(); that ioctl's, after which the device was given back; the claim stays
 * as it was.
 */
int ioasid_claim_add(struct ioasid *connection, struct ioasid_claim *claim, const char *device);
/*
 * Gives one device of a claim back: closes this process's FD of it, and of its group where the claim has no other
 * device in that, then asks the daemon to prove it free. In mode "node" there is nothing to close: the program that
 * opened the node has to. The last device of a claim can't be removed: release the claim. Errors: as ioasid_call();
 * -ENOENT: the claim has it not; -EINVAL: it is the last. Where the daemon refuses, the device stays in the claim,
 * without its FD.
 */
int ioasid_claim_remove(struct ioasid *connection, struct ioasid_claim *claim, const char *device);
/*
 * Resumes a claim after ioasidd was stopped or restarted. Claims normally survive a restart, and this changes nothing.
 * If the service manager lost the lease (systemd before 257 does when the service is stopped; the lease FD then shows
 * POLLHUP), the claim lingers as long as an FD of it is open, and gets a new lease by this call: then
 * ioasid_claim_lease_fd() returns a new FD, and the old one is closed. Call it when poll() of the lease FD shows
 * POLLHUP, or when another call found the daemon restarted. Errors: as ioasid_call(); on -EREMOTEIO the claim has
 * ended: free it. -EMFILE: this process could not receive the new lease; try again.
 */
int ioasid_claim_resume(struct ioasid *connection, struct ioasid_claim *claim);
/*
 * Closes all FDs of the claim, asks the daemon to release it, waits for the reply and frees the claim, which must not
 * be used afterwards, whatever is returned. Errors: as ioasid_call(); -EBUSY, status IOASID_BUSY: another process still
 * holds an FD, and the claim lingers until that is closed, or it is quarantined until an operator releases it.
 */
int ioasid_claim_release(struct ioasid *connection, struct ioasid_claim *claim);
/*
 * Frees the memory of a claim and closes its FDs, including the lease FD: if that was the last copy, the daemon
 * releases the claim. NULL is allowed. Returns NULL.
 */
struct ioasid_claim *ioasid_claim_free(struct ioasid_claim *claim);

/* A subscription to events. */
struct ioasid_monitor;
/*
 * Subscribes to events, over a connection of its own; no event after this returns is missed. claim: only events of this
 * claim and its devices, until it ends; NULL: all events that this user may see. Close *monitor with
 * ioasid_monitor_close(); connection, which reports the failures, may be closed before.
 * Errors: as ioasid_call(); ioasid_error_name() distinguishes a claim that does not exist or is not the caller's
 * (org.ioasid1.NotFound) from too many monitors of this user (org.ioasid1.QuotaExceeded).
 */
int ioasid_monitor_open(struct ioasid *connection, const char *claim, struct ioasid_monitor **monitor);
/* For poll(): on POLLIN call ioasid_monitor_next(). Owned by the monitor. */
int ioasid_monitor_fd(const struct ioasid_monitor *monitor);
/*
 * The next event. timeout: how long to wait for it, in milliseconds; 0: not at all; negative: for ever. *event: JSON
 * text of the type Event of org.ioasid1.varlink, which the caller frees with free(); the first is of the kind "ready".
 * Call it until it returns -EAGAIN before waiting with poll() again: several may have arrived at once. Errors: -EAGAIN:
 * none within that time; not a failure. -ENODATA: the monitored claim ended, and its last event was returned.
 * -ECONNRESET: the daemon stopped, or dropped this monitor because it did not read: open another one, and list
 * everything again. -EPROTO: invalid data. -ENOMEM.
 */
int ioasid_monitor_next(struct ioasid *connection, struct ioasid_monitor *monitor, int timeout, char **event);
/* NULL is allowed. Returns NULL. */
struct ioasid_monitor *ioasid_monitor_close(struct ioasid_monitor *monitor);

#ifdef __cplusplus
}
#endif
#endif
