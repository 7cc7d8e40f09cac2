#include "recover.h"

#include "lease.h"
#include "release.h"
#include "remove_device.h"
#include "revoke.h"

#include "../../base/claim_files.h"
#include "../../base/log.h"

#include <errno.h>
#include <linux/major.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* True for what says nothing of the claim, only that it can't be looked at now. */
static bool is_shortage(int error)
{
	return error == -ENOMEM || error == -EMFILE || error == -ENFILE;
}

/* Tells what becomes of a claim that was on record in this state. */
static void tell(const struct claim_runtime *runtime, enum claim_state before, const char *message)
{
	claim_runtime_tell(runtime, (struct news){ .kind = NEWS_CLAIM_ADOPTED, .before = before, .message = message });
}

/* Devices that went while nobody looked, and a change of the claim that was under way. */
static void catch_up(struct claim_runtime *runtime)
{
	struct claim *claim = runtime->claim;
	const struct topology *topology = host_topology(runtime->registry->host);

	for (size_t i = 0; i < claim->device_count && claim->state == CLAIM_HELD; i++)
		if (!topology_find(topology, claim->device[i].before.name)) {
			snprintf(claim->note, sizeof(claim->note), "%s was unplugged", claim->device[i].before.name);
			claim_runtime_tell(runtime, (struct news){ .kind = NEWS_DEVICE_GONE,
								   .device = claim->device[i].before.name });
			claim_runtime_step(runtime, CLAIM_EVENT_UNPLUGGED);
		}
	remove_device_resume(runtime);
}

/* An iommufd and a container are the kernel's miscellaneous devices; for those of a simulated host a socket stands in.
 */
static bool may_be_context(int fd, const struct claim *claim)
{
	struct stat status;
	int type = 0, listens = 1;

	if (fstat(fd, &status) < 0)
		return false;
	if (S_ISCHR(status.st_mode))
		return major(status.st_rdev) == MISC_MAJOR;
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){ sizeof(type) }) == 0 &&
	       type == SOCK_SEQPACKET &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &(socklen_t){ sizeof(listens) }) == 0 && !listens;
}

/* 0: the claim goes on, it was held, and its lease is still there. -errno, if no shortage: it has to be released. */
static int take_up(struct claim_runtime *runtime)
{
	struct registry *registry = runtime->registry;
	struct claim *claim = runtime->claim;
	bool held = claim->state == CLAIM_HELD || claim->state == CLAIM_LOST;
	int error;

	runtime->context = fdstore_take(registry->store, STORED_CONTEXT, claim, may_be_context);
	error = lease_take_up(runtime);
	if (held && error == 0) {
		tell(runtime, claim->state, "restored, continues");
		catch_up(runtime);
		if (claim->revoked)
			revoke_start(runtime, REVOKE_GRACE_OF_RULE, NULL, NULL);
		return 0;
	}
	claim->lease_lost = claim->lease_lost || (held && error < 0);
	return error < 0 ? error : -ENOENT;
}

static int adopt(struct registry *registry, const struct claim *read)
{
	struct claim_runtime *runtime;
	int error = claim_runtime_add(registry, read, &runtime);

	if (is_shortage(error))
		return error;
	if (error < 0) {
		log_error("failed to restore claim %s: its devices belong to another claim", read->id);
		return 0;
	}
	if (read->state == CLAIM_QUARANTINED) {
		tell(runtime, read->state, "still quarantined");
		return 0;
	}
	error = take_up(runtime);
	if (error == 0 || is_shortage(error))
		return error;
	tell(runtime, read->state, "left by an earlier run, is being released");
	runtime->claim->state = CLAIM_HELD; /* from where a release can begin, wherever the crash was */
	/* Its client may take it up again: then that change is taken up, too. */
	if (!runtime->claim->lease_lost) {
		runtime->claim->changing[0] = '\0';
		runtime->claim->adding = false;
	}
	release_start(runtime);
	return 0;
}

static int recover_file(struct registry *registry, const char *file)
{
	struct claim read = { 0 };
	char id[CLAIM_ID_MAX];
	int verdict = claim_files_read(registry->claim_files, file, host_boot_id(registry->host), &read), error;

	if (is_shortage(verdict))
		return verdict;
	if (verdict == CLAIM_FILE_STALE) {
		if (claim_files_file_claim(file, id))
			claim_files_remove(registry->claim_files, id);
		return 0;
	}
	if (verdict == CLAIM_FILE_READ && claim_files_file_claim(file, id) && strcmp(id, read.id) == 0) {
		error = adopt(registry, &read);
		free(read.device);
		return error;
	}
	if (verdict == CLAIM_FILE_READ)
		free(read.device);
	log_error("the claim file %s is damaged and was set aside; a device may still be bound to a VFIO driver", file);
	claim_files_set_aside(registry->claim_files, file);
	return 0;
}

int recover_run(struct registry *registry)
{
	size_t count = 0;
	char **file;
	int error;

	claim_files_drop_unfinished(registry->claim_files);
	file = claim_files_list(registry->claim_files, &count);
	error = file ? 0 : -ENOMEM;

	if (error < 0)
		log_error("cannot read the claim files");
	for (size_t i = 0; i < count; i++) {
		if (error == 0 && (error = recover_file(registry, file[i])) < 0)
			log_error("failed to restore claim from %s: %s", file[i], strerror(-error));
		free(file[i]);
	}
	free(file);
	if (error < 0 || registry->ending)
		return error;
	/* A stranger may have had a claim's name, which is forgotten with it. */
	if (fdstore_forget_rest(registry->store) > 0)
		for (struct claim *claim = ledger_first(registry->ledger); claim; claim = ledger_next(claim))
			claim_runtime_store(claim_runtime_of(claim));
	return 0;
}
