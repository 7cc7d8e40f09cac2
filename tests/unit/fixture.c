#include "fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dice dice_of(uint64_t seed)
{
	return (struct dice){ .state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1 };
}

uint32_t dice_roll(struct dice *dice, uint32_t limit)
{
	dice->state ^= dice->state << 13;
	dice->state ^= dice->state >> 7;
	dice->state ^= dice->state << 17;
	return (uint32_t)(dice->state >> 32) % limit;
}

struct name {
	const char *name;
	uint32_t id;
};

static int find_name(const struct name *names, size_t count, const char *name, uint32_t *id)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i].name, name) == 0) {
			*id = names[i].id;
			return 0;
		}
	}
	return -ENOENT;
}

static int find_user(void *context, const char *name, uid_t *uid)
{
	static const struct name users[] = { { "root", 0 }, { "toor", 0 }, { "alice", 1000 }, { "bob", 1001 } };

	return find_name(users, COUNT(users), name, uid);
}

static int find_group(void *context, const char *name, gid_t *gid)
{
	static const struct name groups[] = {
		{ "kvm", 36 },
		{ "vmadmin", 200 },
		{ "students", 300 },
		{ "staff", 301 },
	};

	return find_name(groups, COUNT(groups), name, gid);
}

const struct name_resolver test_names = { .user = find_user, .group = find_group };

struct subject subject_of(uid_t uid)
{
	return (struct subject){ .uid = uid, .gid = uid };
}

struct device device_of(const char *name, int32_t group, const char *driver)
{
	static uint64_t identity = 100;
	struct device device = {
		.identity = identity++,
		.group = group,
		.numa_node = -1,
		.pci = { .class_code = 0x020000,
			 .reset_methods = RESET_METHOD_FLR,
			 .vendor = 0x8086,
			 .device = 0x100e },
	};

	snprintf(device.name, sizeof device.name, "%s", name);
	snprintf(device.driver, sizeof device.driver, "%s", driver);
	return device;
}

struct device vfio_device_of(const char *name, int32_t group)
{
	struct device device = device_of(name, group, "vfio-pci");

	snprintf(device.driver_override, sizeof device.driver_override, "vfio-pci");
	snprintf(device.vfio_node, sizeof device.vfio_node, "vfio0");
	return device;
}

void host_init(struct host *host)
{
	*host = (struct host){
		.topology = topology_new(),
		.ledger = ledger_new(),
		.kernel = { .iommufd = 1, .vfio_cdev = 1, .release = "6.12.0-test" },
	};
	assert_non_null(host->topology);
	assert_non_null(host->ledger);
	host->view = (struct host_view){
		.topology = host->topology,
		.uses = &host->uses,
		.ledger = host->ledger,
		.kernel = &host->kernel,
	};
}

void host_done(struct host *host)
{
	topology_free(host->topology);
	ledger_free(host->ledger);
	uses_done(&host->uses);
}

void host_add(struct host *host, const struct device *device)
{
	assert_true(device_is_sane(device));
	assert_int_equal(topology_put(host->topology, device), 0);
}

void host_add_use(struct host *host, const char *device, enum use_kind kind, enum severity severity, const char *text)
{
	struct use use = { .kind = kind, .severity = severity, .pid = kind == USE_HOLDER ? 4711 : 0 };

	snprintf(use.device, sizeof use.device, "%s", device);
	snprintf(use.text, sizeof use.text, "%s", text);
	assert_true(use_is_sane(&use));
	assert_int_equal(uses_add(&host->uses, &use), 0);
}

struct claim *host_claim(struct host *host, const char *id, uid_t uid, const char *rule, const char *device)
{
	struct claim made = { .uid = uid, .pid = 5150, .state = CLAIM_HELD }, *claim;

	snprintf(made.id, sizeof made.id, "%s", id);
	snprintf(made.rule, sizeof made.rule, "%s", rule);
	assert_int_equal(ledger_add(host->ledger, &made, &claim), 0);
	host_claim_more(host, claim, device, false);
	return claim;
}

void host_claim_more(struct host *host, struct claim *claim, const char *device, bool lockout)
{
	const struct device *known = topology_find(host->topology, device);
	struct claim_device entry = { .lockout = lockout, .restore = true };

	assert_non_null(known);
	entry.before = *known;
	assert_int_equal(ledger_take(host->ledger, claim, &entry), 0);
}

struct policy *policy_of(const char *text)
{
	struct policy_source source = { .path = "test.json", .text = text, .length = strlen(text) };
	struct diagnostics diagnostics = { .item = NULL };
	struct policy *policy = NULL;
	int error = policy_parse(&source, 1, &test_names, &diagnostics, &policy);

	for (size_t i = 0; error < 0 && i < diagnostics.count; i++)
		print_error("%u:%u: %s\n", diagnostics.item[i].line, diagnostics.item[i].column,
			    diagnostics.item[i].message);
	diagnostics_done(&diagnostics);
	assert_int_equal(error, 0);
	assert_non_null(policy);
	return policy;
}

char *read_whole(const char *folder, const char *name, size_t *length)
{
	char path[4096], *text;
	FILE *file;
	long size;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "rbe");
	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	size = ftell(file);
	assert_true(size >= 0);
	rewind(file);
	text = malloc((size_t)size + 1);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, (size_t)size, file), (size_t)size);
	fclose(file);
	text[size] = '\0';
	*length = (size_t)size;
	return text;
}

void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not contain \"%s\"", text, part);
}
