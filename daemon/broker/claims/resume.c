#include "resume.h"

#include "lease.h"
#include "release.h"
#include "remove_device.h"

#include "../../base/log.h"

static void refuse(struct requester *requester, const struct claim_runtime *runtime, const char *message)
{
	requester_answer_kind(requester, ANSWER_WRONG_STATE, runtime->claim, message);
}

static void answer(struct requester *requester, const struct claim_runtime *runtime, int lease)
{
	struct offer offer = { .lease = lease, .context = -1 };

	requester_answer(requester,
			 &(struct answer){ .kind = ANSWER_RESUMED, .claim = runtime->claim, .offer = &offer });
	descriptor_close(&offer.lease);
}

/* It lingers, and nothing runs: it is held again. */
static void resume(struct claim_runtime *runtime, struct requester *requester)
{
	int lease = -1;

	if (runtime->nodes_closed) {
		refuse(requester, runtime, "its nodes can no longer be opened: release it, and claim again");
		return;
	}
	/* From here on the service manager keeps it. */
	runtime->lease_over = false;
	if (lease_begin(runtime, requester->pidfd, &lease) < 0) {
		runtime->lease_over = true;
		requester_answer_failed(requester, "ioasidd is out of file descriptors or memory; nothing was changed",
					NULL);
		return;
	}
	/* By this process from now on, whoever made it. */
	if (runtime->claim->lease.kind == LEASE_PROCESS)
		runtime->claim->pid = requester->subject.pid;
	claim_runtime_stop_waiting(runtime);
	runtime->claim->lease_lost = runtime->unmapped = false;
	runtime->claim->note[0] = '\0';
	claim_runtime_step(runtime, CLAIM_EVENT_RESUMED);
	claim_runtime_tell(runtime, (struct news){ .kind = NEWS_CLAIM_ADOPTED,
						   .before = CLAIM_LINGERING,
						   .message = "resumed by its client" });
	answer(requester, runtime, lease);
	remove_device_resume(runtime);
}

/* The release under way has found that somebody holds the claim. True: it is not to linger. */
static bool on_lingering(struct claim_runtime *runtime)
{
	for (struct requester **link = &runtime->awaiting; *link; link = &(*link)->next_awaiting) {
		struct requester *requester = *link;

		if (!requester->resumes)
			continue;
		*link = requester->next_awaiting;
		requester->awaiting = NULL;
		requester->resumes = false;
		resume(runtime, requester);
		return runtime->claim->state == CLAIM_HELD;
	}
	return false;
}

void resume_start(struct claim_runtime *runtime, struct requester *requester)
{
	enum claim_state state = runtime->claim->state;

	if (state == CLAIM_HELD || state == CLAIM_LOST) {
		answer(requester, runtime, -1);
	} else if (!runtime->claim->lease_lost || (state != CLAIM_LINGERING && state != CLAIM_RELEASING)) {
		refuse(requester, runtime, "only a claim whose lease was lost by a restart can be resumed");
	} else if (state == CLAIM_LINGERING && runtime->run == RUNTIME_IDLE) {
		resume(runtime, requester);
	} else {
		runtime->on_lingering = on_lingering;
		requester->resumes = true;
		requester->awaiting = runtime;
		requester->next_awaiting = runtime->awaiting;
		runtime->awaiting = requester;
	}
}
