/*
 * The claims of libioasid: asking for one, receiving and acknowledging its descriptors, and giving it back. A claim
 * owns its descriptors and knows no connection.
 */
#include "claim_json.h"
#include "claim_reply.h"
#include "connection.h"
#include "group_device.h"
#include "lease_lines.h"

#include "../json_build.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct ioasid_claim {
	struct claim_reply is;
	struct json_object *reply; /* of Claim, kept up to date */
	char *json;                /* the text of reply */
	struct lease_lines lines;  /* what the daemon said over the lease */
};

/* Calls a method of a claim. reply may be NULL. */
static int call_claim(struct ioasid *connection, const char *method, const char *id, const char *device,
		      struct varlink_reply *reply)
{
	struct json_object *parameters = claim_json_claim(id, device);
	struct varlink_reply received;
	int result;

	if (parameters == NULL)
		return connection_fail_memory(connection);
	result = connection_call_plain(connection, method, parameters, &received);
	json_object_put(parameters);
	if (result < 0)
		return result;
	if (reply != NULL)
		*reply = received;
	else
		varlink_reply_done(&received);
	return 0;
}

/*
 * Tells the daemon that its offer was not taken, so that it need not wait for an acknowledgement: releases the claim
 * or, where one device was offered, removes that. What the daemon answers changes nothing.
 */
static void reject(struct ioasid *connection, const char *id, const char *device)
{
	if (id == NULL)
		varlink_client_disconnect(&connection->client);
	else if (device != NULL)
		call_claim(connection, "org.ioasid1.RemoveDevice", id, device, NULL);
	else
		call_claim(connection, "org.ioasid1.Release", id, NULL, NULL);
}

/* Rejects an offer whose descriptors got lost on the way. */
static int reject_truncated(struct ioasid *connection, struct varlink_reply *reply, const char *device)
{
	struct rlimit limit = { 0 };

	received_fds_done(&reply->fds);
	reject(connection, claim_reply_id(reply), device);
	varlink_reply_done(reply);
	getrlimit(RLIMIT_NOFILE, &limit);
	failure_set(&connection->failure, IOASID_FAILED,
		    "this process could not receive the claim's file descriptors, so the claim was released: at most "
		    "%llu can be open at once (RLIMIT_NOFILE); raise the limit with `ulimit -n`. If the limit was not "
		    "reached, a security module (SELinux, AppArmor) blocked them: see the kernel log",
		    (unsigned long long)limit.rlim_cur);
	return -EMFILE;
}

/*
 * Calls Claim or AddDevice and reads what is offered. device: the one that is added to the claim that grows; both NULL:
 * a new claim; leased: with a lease of its own.
 */
static int receive_offer(struct ioasid *connection, const struct claim_reply *grows, const char *device, bool leased,
			 struct json_object *parameters, struct varlink_reply *reply, struct claim_reply *offer)
{
	const char *method = device != NULL ? "org.ioasid1.AddDevice" : "org.ioasid1.Claim";
	struct varlink_reply received;
	const char *why;
	int result;

	if (parameters == NULL)
		return connection_fail_memory(connection);
	result = connection_call(connection, method, parameters, &received);
	json_object_put(parameters);
	if (result < 0)
		return result;
	if (received.fds.truncated)
		return reject_truncated(connection, &received, device);
	result = claim_reply_read(&received, grows, leased, offer, &why);
	if (result < 0) {
		varlink_reply_done(&received);
		return connection_fail_reply(connection, method, why);
	}
	*reply = received;
	return 0;
}

int ioasid_claim(struct ioasid *connection, const char *const *devices, size_t count, const char *mode,
		 struct ioasid_claim **out)
{
	return ioasid_claim_leased(connection, devices, count, mode, NULL, NULL, out);
}

int ioasid_claim_leased(struct ioasid *connection, const char *const *devices, size_t count, const char *mode,
			const char *lease, const char *unit, struct ioasid_claim **out)
{
	bool leased = lease == NULL || strcmp(lease, "descriptor") == 0;
	struct ioasid_claim *claim;
	struct varlink_reply reply;
	int result;

	for (size_t i = 0; i < count; i++)
		if (devices[i] == NULL)
			return connection_fail_argument(connection, "missing device name");
	claim = calloc(1, sizeof(*claim));
	if (claim == NULL)
		return connection_fail_memory(connection);
	result = receive_offer(connection, NULL, NULL, leased, claim_json_question(devices, count, mode, lease, unit),
			       &reply, &claim->is);
	if (result < 0) {
		free(claim);
		return result;
	}
	if (strcmp(claim->is.mode, mode != NULL ? mode : "attached") != 0) {
		varlink_reply_done(&reply);
		ioasid_claim_free(claim);
		return connection_fail_reply(connection, "org.ioasid1.Claim",
					     "its mode differs from the requested mode");
	}
	claim->reply = json_object_get(reply.parameters);
	varlink_reply_done(&reply);
	if (claim_json_describe(&claim->is, claim->reply, &claim->json) < 0) {
		claim_reply_done(&claim->is); /* what is open here would hinder the taking back */
		reject(connection, claim->is.id, NULL);
		result = connection_fail_memory(connection);
	} else {
		result = call_claim(connection, "org.ioasid1.Acknowledge", claim->is.id, NULL, NULL);
	}
	if (result < 0) {
		ioasid_claim_free(claim);
		return result;
	}
	*out = claim;
	return 0;
}

int ioasid_plan(struct ioasid *connection, const char *const *devices, size_t count, const char *mode, char **plan)
{
	struct json_object *parameters, *value;
	struct varlink_reply reply;
	const char *text;
	char *copy;
	int result;

	for (size_t i = 0; i < count; i++)
		if (devices[i] == NULL)
			return connection_fail_argument(connection, "missing device name");
	parameters = claim_json_question(devices, count, mode, NULL, NULL);
	if (parameters == NULL)
		return connection_fail_memory(connection);
	result = connection_call_plain(connection, "org.ioasid1.Plan", parameters, &reply);
	json_object_put(parameters);
	if (result < 0)
		return result;
	if (!json_object_object_get_ex(reply.parameters, "plan", &value) ||
	    !json_object_is_type(value, json_type_object)) {
		varlink_reply_done(&reply);
		return connection_fail_reply(connection, "org.ioasid1.Plan", "missing plan");
	}
	text = json_build_text(value);
	copy = text != NULL ? strdup(text) : NULL;
	varlink_reply_done(&reply);
	if (copy == NULL)
		return connection_fail_memory(connection);
	*plan = copy;
	return 0;
}

const char *ioasid_claim_id(const struct ioasid_claim *claim)
{
	return claim->is.id;
}

const char *ioasid_claim_json(const struct ioasid_claim *claim)
{
	return claim->json;
}

const char *ioasid_claim_mode(const struct ioasid_claim *claim)
{
	return claim->is.mode;
}

const char *ioasid_claim_interface(const struct ioasid_claim *claim)
{
	return claim->is.interface;
}

int ioasid_claim_iommufd(const struct ioasid_claim *claim)
{
	return claim->is.iommufd;
}

int ioasid_claim_container(const struct ioasid_claim *claim)
{
	return claim->is.container;
}

uint32_t ioasid_claim_ioas_id(const struct ioasid_claim *claim)
{
	return claim->is.ioas_id;
}

int ioasid_claim_lease_fd(const struct ioasid_claim *claim)
{
	return claim->is.lease;
}

int ioasid_claim_asked_back(struct ioasid_claim *claim, int64_t *grace, const char **reason)
{
	int result = claim->is.lease >= 0 ? lease_lines_read(&claim->lines, claim->is.lease) : -EBADF;

	if (!claim->lines.asked)
		return result;
	if (grace != NULL)
		*grace = claim->lines.grace / 1000;
	if (reason != NULL)
		*reason = claim->lines.reason;
	return 1;
}

size_t ioasid_claim_device_count(const struct ioasid_claim *claim)
{
	return claim->is.device_count;
}

const char *ioasid_claim_device(const struct ioasid_claim *claim, size_t index)
{
	return index < claim->is.device_count ? claim->is.device[index].name : NULL;
}

/* The place of a device, or -1. */
static int find(const struct claim_reply *is, const char *device)
{
	for (size_t i = 0; device != NULL && i < is->device_count; i++)
		if (strcmp(is->device[i].name, device) == 0)
			return (int)i;
	return -1;
}

int ioasid_claim_device_fd(const struct ioasid_claim *claim, const char *device)
{
	int place = find(&claim->is, device);

	return place >= 0 ? claim->is.device[place].fd : -1;
}

int ioasid_claim_group_fd(const struct ioasid_claim *claim, const char *device)
{
	int place = find(&claim->is, device);
	int group = place >= 0 ? claim_reply_find_group(&claim->is, claim->is.device[place].group) : -1;

	return group >= 0 ? claim->is.group[group].fd : -1;
}

const char *ioasid_claim_node(const struct ioasid_claim *claim, const char *device, size_t index)
{
	int place = find(&claim->is, device);

	return place >= 0 && index < claim->is.device[place].node_count ? claim->is.device[place].node[index] : NULL;
}

/* Replaces what a claim says of itself; consumes both. */
static void replace_description(struct ioasid_claim *claim, struct json_object *reply, char *json)
{
	json_object_put(claim->reply);
	free(claim->json);
	claim->reply = reply;
	claim->json = json;
}

/* What the claim is to become with the device of an offer, as a copy: descriptors stay where they are. */
static const char *grow(const struct claim_reply *is, const struct claim_reply *offer, struct claim_reply *grown)
{
	*grown = *is;
	if (offer->device_count > CLAIM_DEVICES_MAX - is->device_count ||
	    offer->group_count > CLAIM_DEVICES_MAX - is->group_count)
		return "the claim would exceed the maximum size";
	for (size_t i = 0; i < offer->device_count; i++) {
		if (find(grown, offer->device[i].name) >= 0)
			return "it adds a device that the claim already has";
		grown->device[grown->device_count++] = offer->device[i];
	}
	for (size_t i = 0; i < offer->group_count; i++)
		grown->group[grown->group_count++] = offer->group[i];
	return NULL;
}

/*
 * Opens the device of an offer by the group that the claim has open already: the kernel lets a group be opened once, so
 * that the daemon could not.
 */
static int open_by_group(struct ioasid *connection, const struct claim_reply *is, struct claim_reply *offer)
{
	struct claim_device_fd *device = &offer->device[0];
	int group = claim_reply_find_group(is, device->group);

	if (device->fd >= 0 || group < 0)
		return 0;
	device->fd = group_device_open(is->group[group].fd, device->name);
	if (device->fd >= 0)
		return 0;
	failure_set(&connection->failure, IOASID_FAILED,
		    "%s was prepared, but the kernel failed to open it through its IOMMU group, which this process has "
		    "open (VFIO_GROUP_GET_DEVICE_FD: %s), so it was released; see the kernel log",
		    device->name, strerror(-device->fd));
	group = device->fd;
	device->fd = -1;
	return group;
}

/* Gives back what was offered, and keeps the words for the failure that was the reason. */
static void undo_offer(struct ioasid *connection, const char *id, const char *device)
{
	struct failure reason = connection->failure;

	connection->failure = (struct failure){ 0 };
	reject(connection, id, device);
	failure_done(&connection->failure);
	connection->failure = reason;
}

int ioasid_claim_add(struct ioasid *connection, struct ioasid_claim *claim, const char *device)
{
	struct claim_reply offer, grown;
	struct json_object *description = NULL;
	struct varlink_reply reply;
	const char *wrong = NULL;
	char *json = NULL;
	int result;

	if (device == NULL)
		return connection_fail_argument(connection, "missing device name");
	result = receive_offer(connection, &claim->is, device, false, claim_json_claim(claim->is.id, device), &reply,
			       &offer);
	if (result < 0)
		return result;
	result = open_by_group(connection, &claim->is, &offer);
	if (result < 0)
		undo_offer(connection, claim->is.id, device);
	else
		wrong = grow(&claim->is, &offer, &grown);
	if (wrong != NULL) {
		result = connection_fail_reply(connection, "org.ioasid1.AddDevice", wrong);
	} else if (result == 0 && (json_object_deep_copy(claim->reply, &description, NULL) < 0 ||
				   claim_json_merge_lockouts(description, reply.parameters) < 0 ||
				   claim_json_describe(&grown, description, &json) < 0)) {
		claim_reply_done(&offer);
		reject(connection, claim->is.id, device);
		result = connection_fail_memory(connection);
	} else if (result == 0) {
		result = call_claim(connection, "org.ioasid1.Acknowledge", claim->is.id, NULL, NULL);
	}
	varlink_reply_done(&reply);
	if (result < 0) {
		claim_reply_done(&offer);
		json_object_put(description);
		free(json);
		return result;
	}
	claim->is = grown;
	replace_description(claim, description, json);
	return 0;
}

/* Closes what this process has of a device: its FD, and its group's where the claim has no other device in it. */
static void close_device(struct claim_reply *is, struct claim_device_fd *device)
{
	int group = claim_reply_find_group(is, device->group);

	if (device->fd >= 0)
		close(device->fd);
	device->fd = -1;
	for (size_t i = 0; i < is->device_count; i++)
		if (&is->device[i] != device && is->device[i].group == device->group)
			return;
	if (group < 0)
		return;
	close(is->group[group].fd);
	is->group[group] = is->group[--is->group_count];
}

int ioasid_claim_remove(struct ioasid *connection, struct ioasid_claim *claim, const char *device)
{
	int place = find(&claim->is, device);
	struct claim_device_fd *found, *end;
	char *json = NULL;
	int result;

	if (place < 0) {
		failure_set(&connection->failure, IOASID_UNKNOWN, "claim %s has no device %s", claim->is.id,
			    device != NULL ? device : "(no name)");
		return -ENOENT;
	}
	if (claim->is.device_count == 1) {
		failure_set(&connection->failure, IOASID_FAILED,
			    "%s is the last device of claim %s: release the claim instead", device, claim->is.id);
		return -EINVAL;
	}
	found = &claim->is.device[place];
	end = &claim->is.device[claim->is.device_count];
	/*
	 * Closed first, because the daemon proves that nobody has it. If it refuses, the device stays, without its
	 * FD.
	 */
	close_device(&claim->is, found);
	result = call_claim(connection, "org.ioasid1.RemoveDevice", claim->is.id, device, NULL);
	if (result == 0) {
		memmove(found, found + 1, (size_t)(end - (found + 1)) * sizeof(*found));
		claim->is.device_count--;
	}
	/* What was closed is closed, whatever happens here: without memory the text goes on saying what it said. */
	if (claim_json_describe(&claim->is, claim->reply, &json) == 0)
		replace_description(claim, json_object_get(claim->reply), json);
	return result;
}

/* Takes a new lease in the place of the one that was lost. */
static int take_lease(struct ioasid *connection, struct ioasid_claim *claim, int lease)
{
	struct claim_reply is = claim->is;
	char *json = NULL;

	is.lease = lease;
	if (claim_json_describe(&is, claim->reply, &json) < 0) {
		close(lease);
		return connection_fail_memory(connection);
	}
	if (claim->is.lease >= 0)
		close(claim->is.lease);
	claim->lines = (struct lease_lines){ .used = 0 };
	claim->is = is;
	replace_description(claim, json_object_get(claim->reply), json);
	return 0;
}

int ioasid_claim_resume(struct ioasid *connection, struct ioasid_claim *claim)
{
	struct json_object *parameters = claim_json_claim(claim->is.id, NULL);
	struct varlink_reply reply;
	const char *why;
	int lease, result;

	if (parameters == NULL)
		return connection_fail_memory(connection);
	result = connection_call(connection, "org.ioasid1.Resume", parameters, &reply);
	json_object_put(parameters);
	if (result < 0)
		return result;
	if (reply.fds.truncated) {
		/* Its other end is closed with it: the claim lingers as before. */
		varlink_reply_done(&reply);
		failure_set(&connection->failure, IOASID_FAILED,
			    "this process could not receive the new lease of claim %s: close some file descriptors and "
			    "try again",
			    claim->is.id);
		return -EMFILE;
	}
	result = claim_reply_read_lease(&reply, &claim->is, &lease, &why);
	varlink_reply_done(&reply);
	if (result < 0)
		return connection_fail_reply(connection, "org.ioasid1.Resume", why);
	return lease >= 0 ? take_lease(connection, claim, lease) : 0;
}

int ioasid_claim_release(struct ioasid *connection, struct ioasid_claim *claim)
{
	struct varlink_reply reply;
	struct json_object *value;
	const char *state = "", *note = "";
	int lease = claim->is.lease;
	int result;

	/* The lease is kept until the answer: its end would release the claim beside this call. */
	claim->is.lease = -1;
	claim_reply_done(&claim->is);
	result = call_claim(connection, "org.ioasid1.Release", claim->is.id, NULL, &reply);
	if (lease >= 0)
		close(lease);
	if (result == 0) {
		if (json_object_object_get_ex(reply.parameters, "state", &value) &&
		    json_object_is_type(value, json_type_string))
			state = json_object_get_string(value);
		if (json_object_object_get_ex(reply.parameters, "note", &value) &&
		    json_object_is_type(value, json_type_string))
			note = json_object_get_string(value);
		if (*state == '\0') {
			result = connection_fail_reply(connection, "org.ioasid1.Release", "missing state");
		} else if (strcmp(state, "free") != 0) {
			failure_set(&connection->failure, IOASID_BUSY, "claim %s is %s%s%s", claim->is.id, state,
				    *note != '\0' ? ": " : "", note);
			result = -EBUSY;
		}
		varlink_reply_done(&reply);
	}
	ioasid_claim_free(claim);
	return result;
}

struct ioasid_claim *ioasid_claim_free(struct ioasid_claim *claim)
{
	if (claim == NULL)
		return NULL;
	claim_reply_done(&claim->is);
	json_object_put(claim->reply);
	free(claim->json);
	free(claim);
	return NULL;
}
