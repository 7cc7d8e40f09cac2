/*
 * A limited number of places that users share: how many each user has, and whether a user gets one more. The more
 * places are taken, the fewer a user gets, so that a few users can't take them all: he gets one more as long as he has
 * less than an equal part of what is left. Some are kept for operators. uid 0 is not limited, and takes nobody's place.
 *
 * Of 896 places, 64 for a user, eight users at their limits leave 398, sixteen 208, fifty 58; it takes 106 to take all.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct sockets;

struct accounts {
	size_t most;     /* in all */
	size_t reserved; /* of them, for operators */
	size_t per_user;
	size_t taken; /* uid 0 has none of them */
	size_t users; /* who have some of them */
	struct account *first;
};

/* A user who has places. Valid as long as the user has one. */
struct account {
	struct accounts *accounts;
	struct account *next;
	uid_t uid;
	size_t places;
	/* For the owner of the places: bytes that are kept for the user, and what the places are in. */
	size_t input, output;
	struct sockets *sockets;
};

/* One more place for the user; NULL: none is left for the user, or no memory. */
struct account *accounts_take(struct accounts *accounts, uid_t uid, bool is_operator);
void account_give_back(struct account *account);
/* What this user may have of something of which there are so many for all, and so many for a user at most. */
size_t account_part(const struct account *account, size_t all, size_t per_user);
