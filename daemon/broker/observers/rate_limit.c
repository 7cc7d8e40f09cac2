#include "rate_limit.h"

/* The place of a user: his own, or one whose user has been quiet for long. */
static struct rate_limit_user *place_of(struct rate_limit *rate, uid_t uid, uint64_t now)
{
	for (int i = 0; i < RATE_LIMIT_USERS; i++)
		if (rate->user[i].full != 0 && rate->user[i].uid == uid)
			return &rate->user[i];
	for (int i = 0; i < RATE_LIMIT_USERS; i++)
		if (rate->user[i].full <= now) {
			rate->user[i] = (struct rate_limit_user){ .uid = uid };
			return &rate->user[i];
		}
	return &rate->user[RATE_LIMIT_USERS - 1];
}

bool rate_limit_take(struct rate_limit *rate, uid_t uid, uint64_t now, uint64_t *left_out)
{
	struct rate_limit_user *user = place_of(rate, uid, now);
	uint64_t full = (user->full > now ? user->full : now) + RATE_LIMIT_USEC;

	if (full > now + RATE_LIMIT_BURST * RATE_LIMIT_USEC) {
		user->left_out++;
		return false;
	}
	user->full = full;
	*left_out = user->left_out;
	user->left_out = 0;
	return true;
}
