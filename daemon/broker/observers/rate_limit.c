#include "rate_limit.h"

/* The place of a user: his own, or one whose user has been quiet for long. */
static struct record_rate_user *place_of(struct record_rate *rate, uid_t uid, uint64_t now)
{
	for (int i = 0; i < RECORD_RATE_USERS; i++)
		if (rate->user[i].full != 0 && rate->user[i].uid == uid)
			return &rate->user[i];
	for (int i = 0; i < RECORD_RATE_USERS; i++)
		if (rate->user[i].full <= now) {
			rate->user[i] = (struct record_rate_user){ .uid = uid };
			return &rate->user[i];
		}
	return &rate->user[RECORD_RATE_USERS - 1];
}

bool record_rate_take(struct record_rate *rate, uid_t uid, uint64_t now, uint64_t *left_out)
{
	struct record_rate_user *user = place_of(rate, uid, now);
	uint64_t full = (user->full > now ? user->full : now) + RECORD_RATE_USEC;

	if (full > now + RECORD_RATE_BURST * RECORD_RATE_USEC) {
		user->left_out++;
		return false;
	}
	user->full = full;
	*left_out = user->left_out;
	user->left_out = 0;
	return true;
}
