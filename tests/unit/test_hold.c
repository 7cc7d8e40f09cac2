/* Where what processes hold came from: told from the ledger, and "unknown" where it can't be told. */
#include "fixture.h"

#include "../../policy/model/held_nodes.h"

#include <stdio.h>
#include <string.h>

#define A "0000:01:00.0"
#define B "0000:02:00.0"
#define SIBLING "0000:01:00.1"

/* Alice's claim "a" of A, which locks SIBLING out; Bob's claim "b" of B by nodes. */
static void host_with_claims(struct host *host, enum vfio_interface interface)
{
	struct device devices[] = { vfio_device_of(A, 1), vfio_device_of(SIBLING, 1), vfio_device_of(B, 2) };
	struct claim *claim;

	host_init(host);
	for (size_t i = 0; i < COUNT(devices); i++)
		host_add(host, &devices[i]);
	claim = host_claim(host, "a", 1000, "r", A);
	claim->pid = 100;
	claim->mode = MODE_ATTACHED;
	claim->interface = interface;
	host_claim_more(host, claim, SIBLING, true);
	claim = host_claim(host, "b", 1001, "r", B);
	claim->pid = 200;
	claim->mode = MODE_NODE;
	claim->interface = interface;
}

static struct hold hold_of(pid_t pid, uid_t uid, enum hold_kind kind, int32_t group, const char *device,
			   const char *claim)
{
	struct hold hold = { .pid = pid, .uid = uid, .kind = kind, .count = 1, .group = group };

	snprintf(hold.device, sizeof hold.device, "%s", device);
	snprintf(hold.claim, sizeof hold.claim, "%s", claim);
	assert_true(hold_is_sane(&hold));
	return hold;
}

static struct hold twice(struct hold hold)
{
	hold.count = 2;
	return hold;
}

struct expected {
	struct hold hold;
	enum hold_verdict verdict;
	const char *claim;
};

static void check(const struct host *host, const struct expected *row, size_t count, bool compared)
{
	struct hold hold[32];
	struct hold_origin origin[32];

	assert_true(count <= COUNT(hold));
	for (size_t i = 0; i < count; i++)
		hold[i] = row[i].hold;
	hold_judge(hold, count, host->ledger, compared, origin);
	for (size_t i = 0; i < count; i++) {
		if (origin[i].verdict != row[i].verdict || strcmp(origin[i].claim, row[i].claim) != 0)
			print_error("row %zu: %s of \"%s\"\n", i, hold_verdict_to_string(origin[i].verdict),
				    origin[i].claim);
		assert_int_equal(origin[i].verdict, row[i].verdict);
		assert_string_equal(origin[i].claim, row[i].claim);
	}
}

static void test_origins(void **state)
{
	const struct expected rows[] = {
		/* The client itself; and whoever got the context from it. */
		{ hold_of(100, 1000, HOLD_DEVICE, 1, A, ""), HOLD_OF_CLAIM, "a" },
		{ hold_of(101, 0, HOLD_IOMMUFD, -1, "", "a"), HOLD_OF_CLAIM, "a" },
		{ hold_of(101, 0, HOLD_DEVICE, 1, A, ""), HOLD_OF_CLAIM, "a" },
		{ hold_of(101, 0, HOLD_MAPPING, 1, A, ""), HOLD_OF_CLAIM, "a" },
		/* Its context does not make another's device its own. */
		{ hold_of(101, 0, HOLD_DEVICE, 2, B, ""), HOLD_UNKNOWN, "b" },
		/* The client's number, used again by somebody else. */
		{ hold_of(100, 1001, HOLD_DEVICE, 1, A, ""), HOLD_UNKNOWN, "a" },
		/* A device FD alone may have been passed on, or opened by root. */
		{ hold_of(102, 0, HOLD_DEVICE, 1, A, ""), HOLD_UNKNOWN, "a" },
		/* Nobody got a locked-out member, nor a device of no claim, nor a context of no claim. */
		{ hold_of(103, 0, HOLD_DEVICE, 1, SIBLING, ""), HOLD_FOREIGN, "" },
		{ hold_of(104, 0, HOLD_DEVICE, 9, "0000:09:00.0", ""), HOLD_FOREIGN, "" },
		{ hold_of(104, 0, HOLD_IOMMUFD, -1, "", ""), HOLD_FOREIGN, "" },
		{ hold_of(104, 0, HOLD_GROUP, 9, "", ""), HOLD_FOREIGN, "" },
		{ hold_of(104, 0, HOLD_VDPA, -1, "", ""), HOLD_FOREIGN, "" },
		/* By nodes: the user who got them, in whatever process. */
		{ hold_of(205, 1001, HOLD_DEVICE, 2, B, ""), HOLD_OF_CLAIM, "b" },
		{ hold_of(206, 1001, HOLD_GROUP, 2, "", ""), HOLD_OF_CLAIM, "b" },
		{ hold_of(206, 1001, HOLD_CONTAINER, -1, "", ""), HOLD_OF_CLAIM, "b" },
		{ hold_of(206, 1001, HOLD_IOMMUFD, -1, "", ""), HOLD_FOREIGN, "" },
		{ hold_of(207, 1002, HOLD_GROUP, 2, "", ""), HOLD_UNKNOWN, "b" },
		{ hold_of(207, 1002, HOLD_CONTAINER, -1, "", ""), HOLD_FOREIGN, "" },
		/* A device that the kernel does not tell may be anybody's. */
		{ hold_of(208, 0, HOLD_DEVICE, -1, "", ""), HOLD_UNKNOWN, "" },
	};
	struct host host;

	host_with_claims(&host, INTERFACE_IOMMUFD);
	check(&host, rows, COUNT(rows), true);
	host_done(&host);
}

/* The copies that ioasidd keeps for its claims are its own; what it has beside them as well. */
static void test_service(void **state)
{
	struct expected rows[] = {
		{ hold_of(1, 0, HOLD_IOMMUFD, -1, "", "a"), HOLD_OF_SERVICE, "a" },
		{ hold_of(1, 0, HOLD_IOMMUFD, -1, "", ""), HOLD_FOREIGN, "" },
		{ hold_of(50, 900, HOLD_IOMMUFD, -1, "", "a"), HOLD_OF_SERVICE, "a" },
		{ hold_of(51, 0, HOLD_DEVICE, 1, A, ""), HOLD_OF_SERVICE, "a" },
		{ hold_of(51, 0, HOLD_DEVICE, 9, "0000:09:00.0", ""), HOLD_OF_SERVICE, "" },
	};
	struct host host;

	rows[0].hold.service = rows[2].hold.service = rows[3].hold.service = rows[4].hold.service = 1;
	host_with_claims(&host, INTERFACE_IOMMUFD);
	check(&host, rows, COUNT(rows), true);
	host_done(&host);
}

/* The same without iommufd; and without kcmp no context can be told. */
static void test_groups(void **state)
{
	const struct expected rows[] = {
		{ hold_of(205, 1001, HOLD_CONTAINER, -1, "", ""), HOLD_OF_CLAIM, "b" },
		{ hold_of(300, 0, HOLD_CONTAINER, -1, "", ""), HOLD_FOREIGN, "" },
		/* The kernel does not name what was opened by a group: it is the process's own claim's, if it can be no
		   other's. */
		{ hold_of(101, 0, HOLD_CONTAINER, -1, "", "a"), HOLD_OF_CLAIM, "a" },
		{ hold_of(101, 0, HOLD_DEVICE, -1, "", ""), HOLD_OF_CLAIM, "a" },
		{ hold_of(102, 0, HOLD_CONTAINER, -1, "", "a"), HOLD_OF_CLAIM, "a" },
		{ twice(hold_of(102, 0, HOLD_DEVICE, -1, "", "")), HOLD_UNKNOWN, "" },
		{ hold_of(103, 0, HOLD_CONTAINER, -1, "", "a"), HOLD_OF_CLAIM, "a" },
		{ hold_of(103, 0, HOLD_DEVICE, -1, "", ""), HOLD_UNKNOWN, "" },
		{ hold_of(103, 0, HOLD_GROUP, 9, "", ""), HOLD_FOREIGN, "" },
		{ hold_of(104, 1002, HOLD_DEVICE, -1, "", ""), HOLD_UNKNOWN, "" },
		{ hold_of(207, 1001, HOLD_MAPPING, -1, "", ""), HOLD_OF_CLAIM, "b" },
	};
	const struct expected blind[] = {
		{ hold_of(300, 0, HOLD_CONTAINER, -1, "", ""), HOLD_UNKNOWN, "" },
	};
	struct host host;

	host_with_claims(&host, INTERFACE_GROUP);
	check(&host, rows, COUNT(rows), true);
	check(&host, blind, COUNT(blind), false);
	host_done(&host);
}

static void test_no_claims(void **state)
{
	const struct expected rows[] = {
		{ hold_of(300, 0, HOLD_CONTAINER, -1, "", ""), HOLD_FOREIGN, "" },
		{ hold_of(300, 0, HOLD_DEVICE, -1, "", ""), HOLD_FOREIGN, "" },
		{ hold_of(301, 0, HOLD_VDPA, -1, "", ""), HOLD_FOREIGN, "" },
	};
	struct host host;

	host_init(&host);
	check(&host, rows, COUNT(rows), false);
	host_done(&host);
}

static struct node_access access_of(const char *node, const char *device, int32_t group, uint32_t user)
{
	struct node_access access = { .group = group, .mode = 0660, .user_count = 1, .user = { user } };

	snprintf(access.node, sizeof access.node, "%s", node);
	snprintf(access.device, sizeof access.device, "%s", device);
	assert_true(node_access_is_sane(&access));
	return access;
}

static void test_nodes(void **state)
{
	struct node_access device = access_of("vfio/devices/vfio1", B, 2, 1001),
			   group = access_of("vfio/2", "", 2, 1001);
	struct node_access container = access_of("vfio/vfio", "", -1, 1001), iommu = access_of("iommu", "", -1, 1001);
	struct node_access wrong = access_of("vfio/devices/vfio0", A, 1, 1000),
			   owned = { .node = "iommu", .group = -1 };
	struct host host;

	host_with_claims(&host, INTERFACE_IOMMUFD);
	assert_true(node_access_is_granted(&device, host.ledger));
	assert_true(node_access_is_granted(&group, host.ledger));
	assert_true(node_access_is_granted(&container, host.ledger));
	/* /dev/iommu is nobody's, an attached claim gives no nodes, and nobody in particular is not granted anything.
	 */
	assert_false(node_access_is_granted(&iommu, host.ledger));
	assert_false(node_access_is_granted(&wrong, host.ledger));
	assert_false(node_access_is_granted(&owned, host.ledger));
	device.user[device.user_count++] = 1000;
	assert_false(node_access_is_granted(&device, host.ledger));
	device.user_count--;
	device.everybody = 1;
	assert_false(node_access_is_granted(&device, host.ledger));
	group.groups = 1;
	assert_false(node_access_is_granted(&group, host.ledger));
	container.users_left_out = 1;
	assert_false(node_access_is_granted(&container, host.ledger));
	host_done(&host);
}

static void test_sanity(void **state)
{
	struct hold hold = hold_of(1, 0, HOLD_DEVICE, 1, A, "");
	struct node_access access = access_of("iommu", "", -1, 1001);

	hold.pid = 0;
	assert_false(hold_is_sane(&hold));
	hold = hold_of(1, 0, HOLD_DEVICE, 1, A, "");
	hold.kind = HOLD_KIND_COUNT;
	assert_false(hold_is_sane(&hold));
	hold = hold_of(1, 0, HOLD_DEVICE, 1, A, "");
	hold.count = 0;
	assert_false(hold_is_sane(&hold));
	hold = hold_of(1, 0, HOLD_DEVICE, 1, A, "");
	strcpy(hold.command, "a\nb");
	assert_false(hold_is_sane(&hold));
	hold = hold_of(1, 0, HOLD_DEVICE, 1, A, "");
	memset(hold.unit, 'x', sizeof hold.unit);
	assert_false(hold_is_sane(&hold));
	access.user_count = NODE_USERS_MAX + 1;
	assert_false(node_access_is_sane(&access));
	access = access_of("iommu", "", -1, 1001);
	access.mode = 010000;
	assert_false(node_access_is_sane(&access));
	access = access_of("iommu", "", -1, 1001);
	access.node[0] = '\0';
	assert_false(node_access_is_sane(&access));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_origins),   cmocka_unit_test(test_service), cmocka_unit_test(test_groups),
		cmocka_unit_test(test_no_claims), cmocka_unit_test(test_nodes),   cmocka_unit_test(test_sanity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
