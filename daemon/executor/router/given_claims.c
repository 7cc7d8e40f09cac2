#include "given_claims.h"

#include "../../../policy/util/text.h"
#include "../../base/claim_files.h"
#include "../../base/log.h"
#include "../os/host_features.h"
#include "../workers/plan_view.h"
#include "../../plans/plan_admit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* What hangs on a claim of the ledger. */
struct attachment {
	int context; /* our copy; -1: none, or not seen since this executor was started */
};

struct plan_under_way {
	struct plan_under_way *next; // given_claims::first
	uint64_t plan;
	bool lends; /* the broker sent no context, and our copy went along */
	struct given_change change;
};

static struct attachment *attachment_of(const struct claim *claim)
{
	return claim ? claim->attachment : NULL;
}

/* False: out of memory. */
static bool attach(struct claim *claim)
{
	struct attachment *attachment = claim->attachment ? claim->attachment : malloc(sizeof(*attachment));

	if (!attachment)
		return false;
	if (!claim->attachment)
		attachment->context = -1;
	claim->attachment = attachment;
	return true;
}

static void detach(struct claim *claim)
{
	struct attachment *attachment = attachment_of(claim);

	if (attachment)
		descriptor_close(&attachment->context);
	free(attachment);
	claim->attachment = NULL;
}

/* How long the executor of a broker that has gone gets to let go of the ledger, and how often it is looked for: no
 * event tells. */
enum { LOCKED_TRIES = 500, LOCKED_MSEC = 10 };

/* Opens the files of the ledger, which one executor has at a time. An FD or -errno. */
static int open_files(const char *runtime_folder)
{
	const struct timespec pause = { .tv_nsec = LOCKED_MSEC * 1000000 };
	int files = -EADDRINUSE;

	for (int i = 0; i < LOCKED_TRIES && files == -EADDRINUSE; i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		files = claim_files_open(runtime_folder);
	}
	return files;
}

/* The folder, which nobody but root may write: what is read from it is believed. */
static int open_folder(const char *runtime_folder)
{
	struct stat status;
	int folder;

	if (mkdir(runtime_folder, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (lstat(runtime_folder, &status) < 0)
		return -errno;
	if (!S_ISDIR(status.st_mode) || status.st_uid != 0 || (status.st_mode & 022)) {
		log_error("%s is not a folder that only root can write: cannot keep the ledger there", runtime_folder);
		return -EPERM;
	}
	folder = open_files(runtime_folder);
	if (folder == -EADDRINUSE)
		log_error("another executor uses %s: start this one with another --runtime-dir", runtime_folder);
	else if (folder < 0)
		log_error("cannot use %s: %s", runtime_folder, strerror(-folder));
	return folder;
}

static int adopt(struct given_claims *given, const struct claim *read)
{
	struct claim *claim;
	int error = ledger_add(given->ledger, read, &claim);

	return error == 0 && !attach(claim) ? -ENOMEM : error;
}

/* Reads one file. 0, or -errno: without it nothing must be given. */
static int read_file(struct given_claims *given, const char *file)
{
	struct claim claim = { .device = NULL };
	int verdict = claim_files_read(given->folder, file, given->boot_id, &claim), error = 0;

	if (verdict == CLAIM_FILE_READ)
		error = adopt(given, &claim);
	free(verdict == CLAIM_FILE_READ ? claim.device : NULL);
	if (verdict == CLAIM_FILE_STALE) {
		unlinkat(given->folder, file, 0);
	} else if (verdict == CLAIM_FILE_CORRUPT || error == -EBUSY || error == -EINVAL) {
		log_error("cannot read the ledger from %s: set it aside, and left its devices as they are", file);
		claim_files_set_aside(given->folder, file);
		return 0;
	}
	return verdict < 0 ? verdict : error;
}

int given_claims_start(struct given_claims *given, const struct host *host, const char *runtime_folder)
{
	char **file;
	size_t count = 0;
	int error = 0;

	*given = (struct given_claims){ .host = host, .folder = -1, .ledger = ledger_new() };
	if (!given->ledger)
		return -ENOMEM;
	host_features_boot_id(host, given->boot_id);
	given->folder = open_folder(runtime_folder);
	if (given->folder < 0)
		return given->folder;
	claim_files_drop_unfinished(given->folder);
	file = claim_files_list(given->folder, &count);
	if (!file)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (error == 0)
			error = read_file(given, file[i]);
		free(file[i]);
	}
	free(file);
	return error;
}

/* Writes the claim down as it stands, or removes what was written of it. 0 or -errno. */
static int write_down(struct given_claims *given, const char *id)
{
	const struct claim *claim = ledger_find(given->ledger, id);
	int error;

	if (given->frozen)
		return 0;
	error = claim ? claim_files_write(given->folder, given->boot_id, claim) : claim_files_remove(given->folder, id);
	return !claim && error == -ENOENT ? 0 : error;
}

static bool is_under_way(const struct given_claims *given, const char *claim)
{
	for (const struct plan_under_way *plan = given->first; plan; plan = plan->next)
		if (strcmp(plan->change.claim, claim) == 0)
			return true;
	return false;
}

/* True if both are the same open file, or the kernel can't tell. */
static bool is_same_file(int one, int other)
{
	pid_t self = getpid();

	return syscall(SYS_kcmp, self, self, KCMP_FILE, (unsigned long)one, (unsigned long)other) == 0 ||
	       errno == ENOSYS;
}

/* The claim that this context is known to be of, or NULL. */
static const struct claim *owner_of_context(const struct given_claims *given, int context)
{
	for (const struct claim *claim = ledger_first(given->ledger); claim; claim = ledger_next(claim)) {
		const struct attachment *attachment = attachment_of(claim);

		if (attachment && attachment->context >= 0 && is_same_file(attachment->context, context))
			return claim;
	}
	return NULL;
}

/*
 * The context that came with a plan has to be the claim's. After a restart of the executor the first that comes is
 * taken for it, as long as it is no other claim's: nothing in the kernel would tell.
 */
static bool is_context_right(struct given_claims *given, const struct claim *claim, int context,
			     char why[static TEXT_MAX])
{
	struct attachment *attachment = attachment_of(claim);
	const struct claim *owner;

	if (context < 0 || !attachment)
		return true;
	if (attachment->context < 0) {
		owner = owner_of_context(given, context);
		if (!owner)
			attachment->context = fcntl(context, F_DUPFD_CLOEXEC, 3);
		if (!owner)
			return true;
	} else if (is_same_file(attachment->context, context)) {
		return true;
	}
	text_format(why, TEXT_MAX, "the context passed with the plan does not belong to the claim %s", claim->id);
	return false;
}

static bool admit_claim(struct given_claims *given, const struct policy *policy, const struct kernel_features *kernel,
			const struct wire_plan_inbox *plan, struct given_change *change, char why[static TEXT_MAX])
{
	const struct plan_owner *owner = &plan->enclosure.owner;
	const struct claim *had = ledger_find(given->ledger, owner->claim);
	struct plan_view view;
	struct claim *claim;
	bool entered;
	int error;

	if (had && !is_context_right(given, had, plan->enclosure.context, why))
		return false;
	entered = plan_view_begin(&view, given->host, false, why) && plan_view_look(&view, &plan->plan) &&
		  given_take(given->ledger, policy, view.topology, kernel, &plan->plan, owner,
			     plan->enclosure.context >= 0, change, why);
	plan_view_done(&view);
	if (!entered)
		return false;
	claim = ledger_find(given->ledger, owner->claim);
	error = attach(claim) ? write_down(given, claim->id) : -ENOMEM;
	if (error == 0)
		return true;
	if (change->effect == GIVEN_CLAIM)
		detach(claim);
	given_settle(given->ledger, change, GIVEN_UNDONE);
	text_format(why, TEXT_MAX, "the executor cannot write its ledger: %s", strerror(-error));
	return false;
}

static bool admit_release(struct given_claims *given, const struct policy *policy, struct wire_plan_inbox *plan,
			  struct plan_under_way *under_way, char why[static TEXT_MAX])
{
	struct plan_owner *owner = &plan->enclosure.owner;
	const struct claim *claim = ledger_find(given->ledger, owner->claim);
	struct attachment *attachment = attachment_of(claim);
	struct plan_view view;
	bool matches = (!claim || is_context_right(given, claim, plan->enclosure.context, why)) &&
		       plan_view_begin(&view, given->host, false, why);

	if (!matches)
		return false;
	matches = plan_view_look_at_devices(&view, &plan->plan) &&
		  given_match_release(given->ledger, policy, view.topology, &plan->plan, owner,
				      plan->enclosure.context >= 0, &under_way->change, why);
	plan_view_done(&view);
	if (!matches)
		return false;
	owner->subject.uid = claim ? claim->uid : (uid_t)-1;
	if (under_way->change.effect == GIVEN_RELEASE && attachment && attachment->context >= 0) {
		under_way->lends = plan->enclosure.context < 0;
		descriptor_close(&plan->enclosure.context);
		plan->enclosure.context = descriptor_take(&attachment->context);
	}
	return true;
}

bool given_claims_admit(struct given_claims *given, const struct policy *policy, const struct kernel_features *kernel,
			struct wire_plan_inbox *plan, char why[static TEXT_MAX])
{
	struct plan_under_way *under_way;
	bool admitted;

	if (is_under_way(given, plan->enclosure.owner.claim)) {
		text_format(why, TEXT_MAX, "another plan of the claim %s is under way", plan->enclosure.owner.claim);
		return false;
	}
	under_way = calloc(1, sizeof(*under_way));
	if (!under_way) {
		text_format(why, TEXT_MAX, "the executor is out of memory");
		return false;
	}
	under_way->plan = plan->id;
	admitted = plan->kind == WIRE_PLAN_CLAIM ? admit_claim(given, policy, kernel, plan, &under_way->change, why)
						 : admit_release(given, policy, plan, under_way, why);
	if (!admitted || (plan->kind == WIRE_PLAN_RELEASE && plan->plan.count == 0)) {
		free(under_way);
		return admitted;
	}
	under_way->next = given->first;
	given->first = under_way;
	return true;
}

/* The context that comes with the result: made for a new claim, or given back by a release that found somebody. */
static void keep_context(struct claim *claim, const struct plan_under_way *plan, struct wire_result *result,
			 struct descriptors *fds)
{
	struct attachment *attachment = attachment_of(claim);

	if (!attachment || result->contexts != 1 || fds->count == 0)
		return;
	descriptor_close(&attachment->context);
	attachment->context = fcntl(fds->fd[0], F_DUPFD_CLOEXEC, 3);
	if (!plan->lends)
		return;
	result->contexts = 0;
	close(fds->fd[0]);
	memmove(fds->fd, fds->fd + 1, --fds->count * sizeof(*fds->fd));
}

void given_claims_settle(struct given_claims *given, struct wire_result *result, struct descriptors *fds)
{
	struct plan_under_way **link = &given->first, *plan;
	struct claim *claim;
	enum given_end end;
	int error = 0;

	while (*link && (*link)->plan != result->header.id)
		link = &(*link)->next;
	plan = *link;
	if (!plan)
		return;
	*link = plan->next;
	end = plan_admit_end((enum wire_outcome)result->outcome);
	claim = ledger_find(given->ledger, plan->change.claim);
	if (claim && given_ends_claim(&plan->change, end))
		detach(claim);
	else if (claim && fds)
		keep_context(claim, plan, result, fds);
	/* Of what was given for good nothing has to be written: it was, before its first step. */
	if (given_settle(given->ledger, &plan->change, end))
		error = write_down(given, plan->change.claim);
	if (error < 0)
		log_error("claim %s: cannot record in the ledger what was released: %s", plan->change.claim,
			  strerror(-error));
	free(plan);
}

void given_claims_freeze(struct given_claims *given)
{
	given->frozen = true;
	descriptor_close(&given->folder);
}

void given_claims_end(struct given_claims *given)
{
	while (given->first) {
		struct plan_under_way *plan = given->first;

		given->first = plan->next;
		free(plan);
	}
	for (struct claim *claim = given->ledger ? ledger_first(given->ledger) : NULL; claim;
	     claim = ledger_next(claim))
		detach(claim);
	given->ledger = ledger_free(given->ledger);
	descriptor_close(&given->folder);
}
