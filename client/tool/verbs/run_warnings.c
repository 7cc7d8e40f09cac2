#include "run_warnings.h"

#include "../machine/huge_pages.h"
#include "../machine/memlock.h"
#include "../core/reply.h"
#include "../core/session.h"

#include <fcntl.h>
#include <json-c/json.h>
#include <string.h>
#include <unistd.h>

/* Where a limit comes from, and how it gets higher. */
#define RAISE_IT "set LimitMEMLOCK= in its unit, or memlock in /etc/security/limits.conf and log in again"

/* Uses the limit that the rule granted, and says so where it falls short. */
static void use_grant(struct session *session, uint64_t granted)
{
	char granted_text[32], limit_text[32];
	uint64_t limit;

	if (memlock_raise(granted, &limit))
		return;
	session_warn(
		session,
		"warning: the rule grants %s of locked memory, but this process may lock only %s: mapping more for "
		"the devices will fail with ENOMEM. ioasidd could not raise its hard limit (`ulimit -H -l`); " RAISE_IT,
		memlock_text(granted, granted_text), memlock_text(limit, limit_text));
}

/* Without a grant the limit is what it was: told where the command is likely to map more than the kernel's default. */
static void check_limit(struct session *session, const char *mode)
{
	struct memlock limits = memlock_read();
	char text[32];

	if (strcmp(mode, "attached") == 0 || limits.free || limits.soft > MEMLOCK_DEFAULT)
		return;
	session_warn(session,
		     "warning: this process may lock only %s of memory, and the rule grants no more: mapping more for "
		     "the devices, such as a guest's memory, will fail with ENOMEM. Set limits.memlock in the rule; "
		     "%s" RAISE_IT,
		     memlock_text(limits.soft, text),
		     limits.hard > limits.soft ? "or raise it with `ulimit -l`; or " : "or ");
}

static void check_huge_pages(struct session *session, const char *mode)
{
	char *const *command = session->line->command;
	int root;

	if (strcmp(mode, "node") != 0 || !huge_pages_wanted(command))
		return;
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return;
	if (huge_pages_read(root).free == 0)
		session_warn(
			session,
			"no huge page is free, and %s may need some: `sysctl vm.nr_hugepages=512` as root reserves "
			"1 GiB (2 MiB each); DPDK runs without any with --no-huge, and without a mounted hugetlbfs "
			"with --in-memory",
			command[0]);
	close(root);
}

void run_warnings_give(struct session *session, const struct ioasid_claim *claim)
{
	struct json_object *object = reply_parse(ioasid_claim_json(claim));
	int64_t number = reply_number(object, "memlock", -1);

	json_object_put(object);
	if (number >= 0)
		use_grant(session, number == INT64_MAX ? UINT64_MAX : (uint64_t)number);
	else
		check_limit(session, ioasid_claim_mode(claim));
	check_huge_pages(session, ioasid_claim_mode(claim));
}
