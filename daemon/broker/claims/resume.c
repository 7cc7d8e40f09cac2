#include "resume.h"

#include "lease.h"
#include "release.h"
#include "remove_device.h"

#include "../../base/log.h"

static void refuse(struct requester *requester, const struct holding *holding, const char *message)
{
	requester_answer_kind(requester, ANSWER_WRONG_STATE, holding->claim, message);
}

static void answer(struct requester *requester, const struct holding *holding, int lease)
{
	struct offer offer = { .lease = lease, .context = -1 };

	requester_answer(requester, &(struct answer){ .kind = ANSWER_RESUMED, .claim = holding->claim, .offer = &offer });
	descriptor_close(&offer.lease);
}

/* It lingers, and nothing runs: it is held again. */
static void resume(struct holding *holding, struct requester *requester)
{
	int lease = -1;

	if (holding->nodes_closed) {
		refuse(requester, holding, "its nodes can't be opened any more: release it, and claim anew");
		return;
	}
	/* From here on the service manager keeps it. */
	holding->lease_over = false;
	if (lease_begin(holding, requester->pidfd, &lease) < 0) {
		holding->lease_over = true;
		requester_answer_failed(requester, "ioasidd is out of file descriptors or memory; nothing was changed", NULL);
		return;
	}
	/* By this process from now on, whoever made it. */
	if (holding->claim->lease == LEASE_PROCESS)
		holding->claim->pid = requester->subject.pid;
	holding_stop_waiting(holding);
	holding->claim->lease_lost = holding->unmapped = false;
	holding->claim->note[0] = '\0';
	holding_step(holding, CLAIM_EVENT_RESUMED);
	holding_tell(holding, (struct news){ .kind = NEWS_CLAIM_ADOPTED, .before = CLAIM_LINGERING,
					     .message = "resumed by its client" });
	answer(requester, holding, lease);
	removing_resume(holding);
}

/* The release under way has found that somebody holds the claim. True: it is not to linger. */
static bool on_lingering(struct holding *holding)
{
	for (struct requester **link = &holding->awaiting; *link; link = &(*link)->next_awaiting) {
		struct requester *requester = *link;

		if (!requester->resumes)
			continue;
		*link = requester->next_awaiting;
		requester->awaiting = NULL;
		requester->resumes = false;
		resume(holding, requester);
		return holding->claim->state == CLAIM_HELD;
	}
	return false;
}

void resuming_start(struct holding *holding, struct requester *requester)
{
	enum claim_state state = holding->claim->state;

	if (state == CLAIM_HELD || state == CLAIM_LOST) {
		answer(requester, holding, -1);
	} else if (!holding->claim->lease_lost || (state != CLAIM_LINGERING && state != CLAIM_RELEASING)) {
		refuse(requester, holding, "only a claim whose lease was lost by a restart can be resumed");
	} else if (state == CLAIM_LINGERING && holding->run == HOLDING_IDLE) {
		resume(holding, requester);
	} else {
		holding->on_lingering = on_lingering;
		requester->resumes = true;
		requester->awaiting = holding;
		requester->next_awaiting = holding->awaiting;
		holding->awaiting = requester;
	}
}
