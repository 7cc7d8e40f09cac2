#include "offer_report.h"

#include "../../../policy/util/json_write.h"

#include <stdio.h>

struct json_object *offer_report_fd(struct descriptors *fds, int *fd)
{
	if (*fd < 0 || descriptors_add(fds, *fd) < 0)
		return NULL;
	*fd = -1;
	return json_make_number((int)fds->count - 1);
}

/* What only a new claim's reply has. */
static void add_claim(struct json_object *object, struct descriptors *fds, const struct answer *answer)
{
	struct offer *offer = answer->offer;
	const struct claim *claim = answer->claim;
	bool container = claim->interface == INTERFACE_GROUP;

	json_set(object, "mode", json_make_string(delivery_mode_to_string(answer->mode)));
	json_set(object, "interface", json_make_string(vfio_interface_to_string(claim->interface)));
	json_set(object, "lease", offer_report_fd(fds, &offer->lease));
	json_set(object, "iommufd", container ? NULL : offer_report_fd(fds, &offer->context));
	json_set(object, "container", container ? offer_report_fd(fds, &offer->context) : NULL);
	json_set(object, "ioas_id", claim->ioas_id ? json_make_number(claim->ioas_id) : NULL);
	/* UINT64_MAX, no limit, is more than Varlink's integers hold. */
	json_set(object, "memlock",
		 claim->memlock ? json_make_number(claim->memlock > INT64_MAX ? INT64_MAX : (int64_t)claim->memlock)
				: NULL);
}

struct json_object *offer_report_nodes(const struct arbiter *arbiter, const struct claim *claim,
				       const struct claim_device *device)
{
	struct host *host = arbiter_registry(arbiter)->host;
	const struct device *now = topology_find(host_topology(host), device->before.name);
	struct json_object *nodes = json_make_array();
	char path[64];

	if (claim->mode != MODE_NODE || !now)
		return nodes;
	if (claim->interface == INTERFACE_IOMMUFD && now->vfio_node[0]) {
		snprintf(path, sizeof(path), "/dev/%s/%s", device_kind_of(now)->node_folder, now->vfio_node);
		json_add(nodes, json_make_string(path));
	}
	if (host_kernel(host)->vfio_group && now->group >= 0) {
		snprintf(path, sizeof(path), "/dev/vfio/%d", now->group);
		json_add(nodes, json_make_string(path));
	}
	return nodes;
}

struct json_object *offer_report(const struct arbiter *arbiter, const struct answer *answer, struct descriptors *fds,
				 bool devices)
{
	struct offer *offer = answer->offer;
	struct json_object *object = json_make_object(), *group_list = json_make_array(),
			   *device_list = json_make_array(), *lockouts = json_make_array();

	json_set(object, "claim", json_make_string(answer->claim->id));
	if (!offer->grows)
		add_claim(object, fds, answer);
	for (size_t i = 0; i < offer->group_count; i++) {
		struct json_object *group = json_make_object();

		json_set(group, "group", json_make_number(offer->group[i].number));
		json_set(group, "fd", devices ? offer_report_fd(fds, &offer->group[i].fd) : NULL);
		json_add(group_list, group);
	}
	for (size_t i = 0; i < offer->device_count; i++) {
		const struct claim_device *claimed = offer->device[i].device;
		struct json_object *device = json_make_object();

		json_set(device, "name", json_make_string(claimed->before.name));
		json_set(device, "group", json_make_number(claimed->before.group));
		json_set(device, "fd", devices ? offer_report_fd(fds, &offer->device[i].fd) : NULL);
		json_set(device, "nodes", offer_report_nodes(arbiter, answer->claim, claimed));
		json_add(device_list, device);
	}
	for (size_t i = 0; i < offer->lockout_count; i++)
		json_add(lockouts, json_make_string(offer->lockout[i]));
	json_set(object, "groups", group_list);
	json_set(object, "devices", device_list);
	json_set(object, "lockouts", lockouts);
	return object;
}
