/*
 * Claims a device through libioasid, adds others, asks VFIO about each of them by the FD that it got, gives the added
 * ones back in turn, and releases the rest.
 *
 * usage: grow-claim FIRST ADDED…
 */
#include "rig.h"

#include "../../../../include/ioasid.h"

#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

static void check_device(const struct ioasid_claim *claim, const char *address)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	int fd = ioasid_claim_device_fd(claim, address);

	if (fd < 0)
		die("the claim has no FD of %s", address);
	if (ioctl(fd, VFIO_DEVICE_GET_INFO, &info) < 0)
		die_errno("VFIO does not know the FD of %s", address);
	if (!(info.flags & VFIO_DEVICE_FLAGS_PCI))
		die("the FD of %s is of no PCI device", address);
}

int main(int argc, char **argv)
{
	const char *first = argc > 2 ? argv[1] : NULL;
	struct ioasid_claim *claim;
	struct ioasid *connection;

	if (!first)
		die("usage: grow-claim FIRST ADDED…");
	if (ioasid_connect(NULL, &connection) < 0 || ioasid_claim(connection, &first, 1, "attached", &claim) < 0)
		die("%s", ioasid_error_message(connection));
	check_device(claim, first);
	for (int i = 2; i < argc; i++) {
		if (ioasid_claim_add(connection, claim, argv[i]) < 0)
			die("%s", ioasid_error_message(connection));
		check_device(claim, argv[i]);
		printf("has %zu devices through %s\n", ioasid_claim_device_count(claim), ioasid_claim_interface(claim));
	}
	for (int i = 2; i < argc; i++) {
		if (ioasid_claim_remove(connection, claim, argv[i]) < 0)
			die("%s", ioasid_error_message(connection));
		check_device(claim, first);
		printf("has %zu devices\n", ioasid_claim_device_count(claim));
	}
	if (ioasid_claim_release(connection, claim) < 0)
		die("%s", ioasid_error_message(connection));
	puts("released");
	ioasid_disconnect(connection);
	return EXIT_SUCCESS;
}
