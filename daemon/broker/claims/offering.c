#include "offering.h"

#include <fcntl.h>
#include <string.h>

static bool group_was_offered(const struct offer *offer, int32_t group)
{
	for (size_t i = 0; i < offer->group_count; i++)
		if (offer->group[i].number == group)
			return true;
	return false;
}

/* The groups come in the order in which the asked-for devices first name them. */
static void add_group(struct offer *offer, const struct claim_device *device, const struct wire_result *result,
		      struct descriptors *fds)
{
	size_t next = offer->group_count;

	if (next >= result->groups || group_was_offered(offer, device->before.group))
		return;
	offer->group[next].number = device->before.group;
	offer->group[next].fd = descriptors_take(fds, result->contexts + next);
	offer->group_count++;
}

void offer_make(struct claim_runtime *runtime, const struct wire_result *result, struct descriptors *fds, int lease,
		bool grows, struct offer *offer)
{
	const struct claim *claim = runtime->claim;
	size_t first = result->contexts + result->groups, next = 0;

	*offer = (struct offer){ .grows = grows, .lease = lease, .context = -1 };
	if (!grows && runtime->context >= 0)
		offer->context = fcntl(runtime->context, F_DUPFD_CLOEXEC, 3);
	for (size_t i = 0; i < claim->device_count; i++) {
		const struct claim_device *device = &claim->device[i];

		if (device->lockout && offer->lockout_count < GROUP_MEMBERS_MAX)
			offer->lockout[offer->lockout_count++] = device->before.name;
		if (device->lockout || offer->device_count >= CLAIM_DEVICES_MAX ||
		    (grows && strcmp(device->before.name, runtime->device) != 0))
			continue;
		add_group(offer, device, result, fds);
		offer->device[offer->device_count].device = device;
		offer->device[offer->device_count].fd =
			next < result->devices ? descriptors_take(fds, first + next) : -1;
		next++;
		offer->device_count++;
	}
}

void offer_close(struct offer *offer)
{
	descriptor_close(&offer->lease);
	descriptor_close(&offer->context);
	for (size_t i = 0; i < offer->group_count; i++)
		descriptor_close(&offer->group[i].fd);
	for (size_t i = 0; i < offer->device_count; i++)
		descriptor_close(&offer->device[i].fd);
}
